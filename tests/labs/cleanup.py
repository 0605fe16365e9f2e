"""Taking away what a lab left behind when its process was killed: hosts, mounts, networks, files.

A lab writes into its directory who it is (`owner`: process id, that process's start time, the bridge). When the next
lab starts and that process is gone, all that bears the directory's or the bridge's name goes too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

PREFIX = "machine-lab-"


def claim(directory: Path, bridge: str) -> None:
    """Write down that this process owns a lab."""
    (directory / "owner").write_text(f"{os.getpid()} {started(os.getpid())} {bridge}\n")


def sweep() -> None:
    """Remove the labs whose owners are gone."""
    for directory in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(OSError, ValueError):
            pid, began, bridge = (directory / "owner").read_text().split()
            if started(int(pid)) != began:
                _remove(directory, bridge)


def started(pid: int) -> str:
    """When a process began, in clock ticks since boot; "" if there is none (proc(5), fields 3 and 22 of stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]  # ended, and nobody has asked how


def _remove(directory: Path, bridge: str) -> None:
    for host in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = host.read_bytes().split(b"\0")
            if words[0] == b"systemd-nspawn" and any(word.startswith(bytes(directory) + b"/") for word in words):
                end(int(host.parent.name))
    for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = mount.split()[1]
        if target == str(directory) or target.startswith(f"{directory}/"):
            subprocess.run(["umount", "-l", target], capture_output=True, check=False)
    for namespace in Path("/run/netns").glob(f"{bridge}h*"):
        subprocess.run(["ip", "netns", "del", namespace.name], capture_output=True, check=False)
        remove_cgroups(namespace.name)
    subprocess.run(["ip", "link", "del", bridge], capture_output=True, check=False)
    shutil.rmtree(directory, ignore_errors=True)


def end(pid: int) -> None:
    """End a host at once: when its first process dies, the kernel ends all others; wait until they are gone."""
    import time

    family = _descendants(pid)
    for member in [*reversed(family), pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{member}") for member in family) and time.monotonic() < deadline:
        time.sleep(0.02)


def _descendants(pid: int) -> list[int]:
    """The processes below one, parents before their children."""
    found = []
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            found += [child, *_descendants(child)]
    return found


def cgroups(name: str) -> list[str]:
    """A control group of its own for a host's systemd, in each hierarchy that a systemd manages."""
    parents = [
        path for path in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified") if os.path.exists(path + "/cgroup.procs")
    ]
    for parent in parents:
        os.makedirs(f"{parent}/{name}", exist_ok=True)
    return [f"{parent}/{name}" for parent in parents]


def remove_cgroups(name: str) -> None:
    """Remove a host's control groups, deepest first; they are empty once its processes are gone."""
    for top in (f"/sys/fs/cgroup/systemd/{name}", f"/sys/fs/cgroup/unified/{name}"):
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
