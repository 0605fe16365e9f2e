"""Real engines, each in a network of its own, so that three containers can each have port 80 of "their" host.

One bridge in the host's network, 10.98.NET.1; engine N has 10.98.NET.(10+N) and its own docker0 behind it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.swarm.engines import Engines, RealEngine, needs_engines

needs_islands = [*needs_engines]
if shutil.which("ip") is None:
    import pytest

    needs_islands.append(pytest.mark.skip(reason="needs ip (package iproute2)"))


class NamespacedEngine(RealEngine):
    """A dockerd on 10.98.NET.(10+N):2375, with a bridge, in its own network and UTS namespaces."""

    def __init__(self, name: str, directory: Path, net: int, number: int, *flags: str) -> None:
        super().__init__(name, directory, *flags)
        self.net, self.number = net, number
        self.address = f"10.98.{net}.{10 + number}"
        self.port = 2375
        self.at = f"{self.address}:{self.port}"
        self.url = f"tcp://{self.at}"
        self.holder: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        holder = self.holder or self._make_network()
        argv = [
            "nsenter", "--net", "--uts", "-t", str(holder.pid),
            "dockerd", "--data-root", str(self.directory / "data"), "--exec-root", str(self.directory / "exec"),
            "--pidfile", str(self.directory / "pid"), "--config-file", str(self.directory / "daemon.json"),
            "-H", self.url, "-H", self.admin, "--iptables=false", "--ip6tables=false", "--storage-driver=overlay2",
            "--tls=false", "--bip", "172.31.0.1/24", *self.flags,
        ]  # fmt: skip
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _make_network(self) -> subprocess.Popen[bytes]:
        self.holder = holder = subprocess.Popen(
            ["unshare", "--net", "--uts", "sh", "-c", 'hostname "$0" && exec sleep 100000', self.name]
        )
        pid = str(holder.pid)
        deadline = time.monotonic() + 30
        while os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        here = f"swv{self.net}n{self.number}"
        ip("link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", pid)
        ip("link", "set", here, "master", bridge_of(self.net), "up")
        inside = ["nsenter", "--net", "-t", pid, "ip"]
        for words in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{self.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
        ):
            subprocess.run([*inside, *words], check=True, capture_output=True)
        return holder

    def kill(self) -> None:
        """As if the host lost power: dockerd and all its children, at once."""
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(60)
        (self.directory / "pid").unlink(missing_ok=True)
        # A host that comes back has an empty /run; here a dead containerd that nobody has reaped would count as alive.
        (self.directory / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def hang(self, on: bool) -> None:
        """Stop (or let go on) dockerd without ending it: connections stay open and nobody answers."""
        os.kill(int((self.directory / "pid").read_text()), signal.SIGSTOP if on else signal.SIGCONT)

    def stop(self) -> None:
        super().stop()
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.holder is not None:
            # The kernel would remove the pair some time after the namespace, and refuse the next engine of this number.
            ip("link", "delete", f"swv{self.net}n{self.number}", check=False)
            self.holder.kill()
            self.holder.wait(60)
            self.holder = None

    def _members(self) -> list[int]:
        """Every process in this island's network or started for its directory, except its holder."""
        if self.holder is None:
            return []
        found = []
        network = os.readlink(f"/proc/{self.holder.pid}/ns/net")
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(entry)
                own = os.readlink(f"/proc/{pid}/ns/net") == network
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    mine = str(self.directory).encode() in file.read()
                if (own or mine) and pid not in (self.holder.pid, os.getpid()):
                    found.append(pid)
        return found


class Islands(Engines):
    """`count` islands named node-1, node-2, ... on one bridge."""

    all: Sequence[NamespacedEngine]

    def __init__(self, count: int, *flags: str) -> None:
        super().__init__(count, *flags)
        self.net = os.getpid() % 250 + 1
        self.all = [
            NamespacedEngine(f"node-{n + 1}", self.directory / str(n + 1), self.net, n + 1, *flags)
            for n in range(count)
        ]

    def __enter__(self) -> Sequence[NamespacedEngine]:
        name = bridge_of(self.net)
        ip("link", "add", name, "type", "bridge")
        ip("link", "set", name, "address", f"02:73:77:62:72:{self.net:02x}")  # as in tests/labs/nspawn.py
        ip("addr", "add", f"10.98.{self.net}.1/24", "dev", name)
        ip("link", "set", name, "up")
        super().__enter__()
        return self.all

    def __exit__(self, *_: object) -> None:
        try:
            super().__exit__()
        finally:
            ip("link", "delete", bridge_of(self.net), check=False)


def bridge_of(net: int) -> str:
    """The bridge's name."""
    return f"swbr{net}"


def ip(*words: str, check: bool = True) -> None:
    """Run ip."""
    subprocess.run(["ip", *words], check=check, capture_output=True)
