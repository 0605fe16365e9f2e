"""The cloud's host: a booted container in a network of its own, with two wires to this computer.

    this computer                     the box (network namespace moslh1)
    mosl   10.214.0.1/24  ---------   eth0  10.214.0.2/24    the APIs
    moslp  10.214.1.1/24  ---------   eth1  (in neutron's bridge)    servers, floating IPs

The names follow what tests.labs.cleanup looks for, so that the next lab of any kind clears up after one that was
killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.labs import cleanup
from tests.labs.image import LabUnavailable
from tests.labs.openstack import settings

WIRE, PUBLIC_WIRE = "mosl", "moslp"
NAMESPACE = f"{WIRE}h1"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}


class Nspawn:
    """One booted root file system: `lower` layers under the writable directory `upper`; all in `directory`."""

    def __init__(self, directory: Path, lower: list[Path], upper: Path) -> None:
        self.directory, self.lower, self.upper = directory, lower, upper
        self.root = directory / "root"
        self.console = directory / "console.log"
        self._undo = contextlib.ExitStack()
        self._pid = 0
        self.leader = 0  # the process that is number 1 inside

    def start(self) -> None:
        """Mount, wire, boot; back when commands can be run in it, about a second. LabUnavailable when it cannot be."""
        try:
            self._mount()
            self._network()
            self._boot()
            self._reachable()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Kill everything in it and take mounts and wires away."""
        self._undo.close()

    def shut_down(self, seconds: float = 90.0) -> None:
        """End it as a computer is switched off, so that what it wrote is whole; then as `end`."""
        os.kill(self.leader, signal.SIGRTMIN + 4)  # systemd(1): start poweroff.target
        deadline = time.monotonic() + seconds
        while os.path.exists(f"/proc/{self.leader}") and time.monotonic() < deadline:
            time.sleep(0.1)
        self.end()

    def run(self, script: str, *, seconds: float = 600.0, check: bool = True) -> str:
        """Standard output of a shell script run as root in the box; AssertionError with its errors when it fails."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        done = subprocess.run(
            [*enter, "/bin/bash", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=ENVIRONMENT,
        )
        assert not check or done.returncode == 0, f"{script[:300]}: {done.returncode} {done.stderr}{done.stdout}"
        return done.stdout

    def _mount(self) -> None:
        for path in (self.root, self.upper, self.directory / "work"):
            path.mkdir(parents=True, exist_ok=True)
        lower = ":".join(map(str, self.lower))
        options = f"lowerdir={lower},upperdir={self.upper},workdir={self.directory / 'work'}"
        act("mount", "-t", "overlay", "openstack", "-o", options, str(self.root))
        self._undo.callback(act, "umount", "-l", str(self.root), check=False)

    def _network(self) -> None:
        act("ip", "netns", "add", NAMESPACE)
        self._undo.callback(act, "ip", "netns", "del", NAMESPACE, check=False)
        self._undo.callback(act, "ip", "link", "del", PUBLIC_WIRE, check=False)
        self._undo.callback(act, "ip", "link", "del", WIRE, check=False)
        wires = ((WIRE, "eth0", settings.HOST), (PUBLIC_WIRE, "eth1", f"{settings.PUBLIC}.1"))
        for name, peer, address in wires:
            act("ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", NAMESPACE)
            act("ip", "address", "add", f"{address}/24", "dev", name)
            act("ip", "link", "set", name, "up")
            act("ip", "-n", NAMESPACE, "link", "set", peer, "up")
        act("ip", "-n", NAMESPACE, "link", "set", "lo", "up")
        act("ip", "-n", NAMESPACE, "address", "add", f"{settings.ADDRESS}/24", "dev", "eth0")
        act("ip", "-n", NAMESPACE, "route", "add", "default", "via", settings.HOST)

    def _boot(self) -> None:
        command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "-D", str(self.root), "-M", NAMESPACE]
        command += ["--boot", f"--network-namespace-path=/run/netns/{NAMESPACE}", "--capability=all"]
        command += ["--system-call-filter=add_key keyctl bpf", "--resolv-conf=off", "--timezone=off"]
        command += ["--link-journal=no", "--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "--console=pipe"]
        command += ["--bind=/dev/net/tun"]
        groups = cleanup.cgroups(NAMESPACE)
        self._undo.callback(cleanup.remove_cgroups, NAMESPACE)
        with open(self.console, "wb") as log:
            process = subprocess.Popen(
                ["sh", "-c", 'for c in $LAB_CGROUPS; do echo $$ >"$c/cgroup.procs"; done; exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LAB_CGROUPS": " ".join(groups), "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                start_new_session=True,
            )
        self._undo.callback(_stop, process)
        self._pid = process.pid

    def _reachable(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
            if children:
                self.leader = int(children[0])
                with contextlib.suppress(AssertionError, OSError):
                    self.run("test -S /run/systemd/private && systemctl list-jobs >/dev/null")
                    return
            time.sleep(0.1)
        raise LabUnavailable("the cloud's host did not boot: " + self.console.read_text(errors="replace")[-2000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    cleanup.end(process.pid)
    process.wait()


def act(*argv: str, check: bool = True) -> None:
    """Run a program that sets something up; LabUnavailable with its words when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise LabUnavailable(f"{' '.join(argv)}: {done.stderr.strip()}")
