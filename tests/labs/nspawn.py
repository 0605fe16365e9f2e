"""Real Debian hosts for tests: systemd, sshd and dockerd in a container each, on a bridge of their own.

    with Lab() as lab:
        host = lab.host("h1", engine="running")      # or "socket", "off", "missing"
        host.address, host.key, host.run("docker ps")
        lab.hosts(["h2", "h3"], engine="socket")      # boots them side by side

All a lab makes (bridge, network namespaces, mounts, processes, files) is gone after `with`, or when the next lab
starts if its process was killed. The hosts reach this
computer and each other, nothing else. Users: root and `ubuntu` (sudo without a password), both by `lab.key`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.labs import cleanup, image
from tests.labs.image import LabUnavailable
from tests.labs.memory import keep_in_memory

ENGINES = ("running", "socket", "off", "missing")
BOOT_SECONDS = 120.0


@dataclass
class Host:
    """One booted host."""

    name: str
    address: str
    key: str  # path of the private key that both users accept
    root: Path  # its file system, as seen from here
    port: int = 22
    user: str = image.USER

    def run(self, command: str, *, user: str = "root", stdin: str = "", check: bool = True) -> str:
        """Standard output of a shell command in the host, by the system's ssh; AssertionError when it fails."""
        done = subprocess.run(
            [*self.ssh(user), command], input=stdin, capture_output=True, text=True, timeout=300, check=False
        )
        assert not check or done.returncode == 0, (
            f"{command!r} on {self.name}: {done.returncode} {done.stderr}{done.stdout}"
        )
        return done.stdout

    def ssh(self, user: str = "root") -> list[str]:
        """The argument list that logs in, for a command to be added."""
        known = f"UserKnownHostsFile={self.root.parent / 'known_hosts'}"
        options = [
            "-o",
            known,
            "-o",
            "StrictHostKeyChecking=accept-new",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "LogLevel=ERROR",
        ]
        return ["ssh", "-F", "none", "-i", self.key, "-p", str(self.port), *options, f"{user}@{self.address}"]

    def main_pid(self, unit: str = "docker.service") -> int:
        """The process id that systemd has for a unit; 0 when it is not running."""
        return int(self.run(f"systemctl show -p MainPID --value {unit}"))

    def import_busybox(self, tag: str = "busybox:lab") -> None:
        """Give the engine an image to run, without a registry."""
        links = "for applet in sh cat echo ls sleep httpd; do ln -sf busybox bb/bin/$applet; done"
        self.run(f"cd /srv && mkdir -p bb/bin && cp /bin/busybox bb/bin/ && {links}")
        self.run(f"cd /srv && tar -C bb -c . | docker import - {tag}")


class Lab:
    """Makes hosts and takes them all away."""

    def __init__(self) -> None:
        self.base, self.engine = image.layers()
        self._undo = contextlib.ExitStack()
        self._count = 0
        self._hosts: dict[str, contextlib.ExitStack] = {}
        self._going: list[threading.Thread] = []

    def __enter__(self) -> Self:
        cleanup.sweep()
        try:
            self._directory()
            self._bridge()
            cleanup.claim(self.directory, self.bridge)
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for thread in self._going:
            thread.join()
        self._undo.close()

    def _directory(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=cleanup.PREFIX))
        self._undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        if keep_in_memory(self.directory):
            self._undo.callback(_run, "umount", "-l", str(self.directory), check=False)
        self.key = str(self.directory / "id_ed25519")
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", self.key)

    def _bridge(self) -> None:
        """Take the first free bridge name: making one is atomic, so labs in parallel never share."""
        for number in range(1, 200):
            made = subprocess.run(
                ["ip", "link", "add", f"mlab{number}", "type", "bridge"], capture_output=True, check=False
            )
            if made.returncode == 0:
                break
            if b"exists" not in made.stderr:
                raise LabUnavailable(f"no bridge can be made here: {made.stderr.decode().strip()}")
        else:
            raise LabUnavailable("199 lab bridges exist already")
        self.bridge, self.gateway = f"mlab{number}", f"10.213.{number}.1"
        self._undo.callback(_run, "ip", "link", "del", self.bridge, check=False)
        # Without an address of its own a bridge has that of one of its hosts, and another once that one is gone: what
        # the others send is lost until they ask again, after half a minute.
        _run("ip", "link", "set", self.bridge, "address", f"02:6d:6c:61:62:{number:02x}")
        _run("ip", "address", "add", f"{self.gateway}/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")

    def host(self, name: str, *, engine: str = "running", wait: bool = True) -> Host:
        """Boot a host called `name` in one of the states of ENGINES; back when its sshd answers (about 1.5 s)."""
        assert engine in ENGINES, engine
        self._count += 1
        address = f"10.213.{self.bridge[4:]}.{10 + self._count}"
        place = self.directory / f"{self._count}-{name}"
        undo = self._hosts[address] = self._undo.enter_context(contextlib.ExitStack())
        root = self._files(place, name, engine, undo)
        self._network(f"{self.bridge}h{self._count}", address, undo)
        self._boot(place, root, f"{self.bridge}h{self._count}", undo)
        host = Host(name, address, self.key, root)
        if wait:
            self.ready(host)
        return host

    def hosts(self, names: Sequence[str], *, engine: str = "running") -> list[Host]:
        """Boot several side by side."""
        made = [self.host(name, engine=engine, wait=False) for name in names]
        for host in made:
            self.ready(host)
        return made

    def drop(self, host: Host) -> threading.Thread:
        """Take one host away before the others, in a thread: it waits one to two seconds for the kernel to end it."""
        thread = threading.Thread(target=self._hosts.pop(host.address).close)
        self._going.append(thread)
        thread.start()
        return thread

    def ready(self, host: Host) -> None:
        """Wait for the banner of its sshd."""
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host.address, host.port), timeout=1) as link:
                if link.recv(4) == b"SSH-":
                    return
            time.sleep(0.05)
        raise AssertionError(f"{host.name} did not boot:\n" + (host.root.parent / "console.log").read_text()[-3000:])

    def _files(self, place: Path, name: str, engine: str, undo: contextlib.ExitStack) -> Path:
        """The host's own file system: a writable layer over the shared ones; Docker's data in a plain directory."""
        for part in ("upper", "work", "root", "docker"):
            (place / part).mkdir(parents=True)
        lower = str(self.base) if engine == "missing" else f"{self.engine}:{self.base}"
        options = f"lowerdir={lower},upperdir={place / 'upper'},workdir={place / 'work'}"
        root = place / "root"
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        _run("mount", "-t", "overlay", "lab", "-o", options, str(root))
        undo.callback(_run, "umount", "-l", str(root), check=False)
        (root / "etc/hostname").write_text(name + "\n")
        (root / "etc/machine-id").write_text(os.urandom(16).hex() + "\n")
        public = Path(self.key + ".pub").read_text()
        (root / "root/.ssh/authorized_keys").write_text(public)
        (root / f"home/{image.USER}/.ssh/authorized_keys").write_text(public)
        if engine in ("socket", "off"):
            units = ["docker.service"] if engine == "socket" else ["docker.service", "docker.socket"]
            _run("systemctl", f"--root={root}", "-q", "disable", *units)
        return root

    def _network(self, name: str, address: str, undo: contextlib.ExitStack) -> None:
        """A network namespace with eth0, on the lab's bridge, configured before anything boots in it."""
        _run("ip", "netns", "add", name)
        undo.callback(_run, "ip", "netns", "del", name, check=False)
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", name, "master", self.bridge, "up")
        for command in (
            "link set lo up",
            f"address add {address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {self.gateway}",
        ):
            _run("ip", "-n", name, *command.split())

    def _boot(self, place: Path, root: Path, name: str, undo: contextlib.ExitStack) -> None:
        command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "-D", str(root), "-M", name, "--boot"]
        command += [f"--network-namespace-path=/run/netns/{name}", "--capability=all"]
        command += [
            "--system-call-filter=add_key keyctl bpf",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
        ]
        command += [
            "--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
        ]  # systemd 257 wants to be asked for v1 control groups
        command += [f"--bind={place / 'docker'}:/var/lib/docker", "--console=pipe"]
        cgroup = cleanup.cgroups(name)
        undo.callback(cleanup.remove_cgroups, name)
        with open(place / "console.log", "wb") as log:
            process = subprocess.Popen(
                ["sh", "-c", 'for c in $LAB_CGROUPS; do echo $$ >"$c/cgroup.procs"; done; exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LAB_CGROUPS": " ".join(cgroup), "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                start_new_session=True,
            )
        undo.callback(_stop, process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    cleanup.end(process.pid)
    process.wait()


def _run(*argv: str, check: bool = True) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise LabUnavailable(f"{' '.join(argv)}: {done.stderr.strip()}")
