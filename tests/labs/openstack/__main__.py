"""The cloud for a person: python -m tests.labs.openstack check|up|down|status, env [demo|admin], run COMMAND..."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

from tests.labs import image
from tests.labs.openstack import needs
from tests.labs.openstack.cloud import Cloud, OpenStack, standing


def main(words: list[str]) -> int:
    """Exit status."""
    verb, rest = (words[0], words[1:]) if words else ("", [])
    verbs = {"check": check, "up": up, "down": down, "env": environment, "status": status, "run": run, "hold": hold}
    if verb not in verbs:
        print(__doc__, file=sys.stderr)
        return 2
    return verbs[verb](rest)


def check(words: list[str]) -> int:
    """Say what a cloud lacks here; 0 when it lacks nothing."""
    lacking = needs.missing() or needs.scarce()
    for line in lacking:
        print(line, file=sys.stderr)
    return 1 if lacking else 0


def up(words: list[str]) -> int:
    """Start it in a process of its own, wait until it stands, and print what a shell may evaluate."""
    if standing() is None:
        log = image.cache() / "openstack.log"
        image.cache().mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as out:
            holder = subprocess.Popen(
                [sys.executable, "-m", "tests.labs.openstack", "hold"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        print(f"starting; the first time it is built, which takes minutes ({log})", file=sys.stderr)
        while standing() is None:
            if holder.poll() is not None:
                print(log.read_text(), file=sys.stderr)
                return 1
            time.sleep(0.2)
    return environment(words)


def down(words: list[str]) -> int:
    """End the process that holds it, and with it everything."""
    found = standing()
    if found is None:
        print("no cloud stands here", file=sys.stderr)
        return 0
    os.kill(found.owner, signal.SIGTERM)
    while os.path.exists(f"/proc/{found.owner}"):
        time.sleep(0.1)
    return 0


def environment(words: list[str]) -> int:
    """The OS_* variables of demo, or of admin."""
    for name, value in Cloud().environment(words[0] if words else "demo").items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def status(words: list[str]) -> int:
    """0 when it stands."""
    found = standing()
    print("down" if found is None else f"up, held by process {found.owner}; root in it: nsenter -a -t {found.leader}")
    return 3 if found is None else 0


def run(words: list[str]) -> int:
    """A command as root in the box."""
    found = standing()
    if found is None:
        return status([])
    enter = ["nsenter", "-t", str(found.leader), *["-m", "-u", "-i", "-n", "-p", "-r", "-w"]]
    return subprocess.run([*enter, *words], check=False).returncode


def hold(words: list[str]) -> int:
    """Keep it until a signal comes."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    made = OpenStack()
    with made:
        print({name: round(value, 1) for name, value in made.seconds.items()}, flush=True)
        while made.box is not None:
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
