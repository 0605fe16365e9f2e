"""Real Docker Engines for tests: dockerd from Debian's docker.io, several on one host, each with a name of its own.

No registry is needed: the image `busybox` is imported from the host's static busybox.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.labs.memory import keep_in_memory
from tests.sshd import free_port

APPLETS = ("sh", "cat", "echo", "sleep", "ls", "true", "false", "seq", "hostname", "stty", "env", "wc", "head")
DOCKER = shutil.which("docker") or "docker"

needs_engines = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="dockerd needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd (package docker.io)"),
    pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker client"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="needs busybox (package busybox-static)"),
]


class RealEngine:
    """One dockerd on 127.0.0.1:`port` whose info says `name`."""

    def __init__(self, name: str, directory: Path, *flags: str) -> None:
        self.name = name
        self.directory = directory
        self.flags = flags
        self.port = free_port()
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.admin = f"unix://{directory}/docker.sock"
        self.at = f"127.0.0.1:{self.port}"  # as a discovery has it
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "daemon.json").write_text("{}")

    def start(self) -> None:
        """Start it and return at once."""
        argv = [
            "unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name,
            "dockerd", "--data-root", str(self.directory / "data"), "--exec-root", str(self.directory / "exec"),
            "--pidfile", str(self.directory / "pid"), "--config-file", str(self.directory / "daemon.json"),
            "-H", self.url, "-H", self.admin, "--iptables=false", "--ip6tables=false", "--bridge=none",
            "--storage-driver=overlay2",
            *self.flags,
        ]  # fmt: skip
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        """Until it answers."""
        assert self.process is not None
        deadline = time.monotonic() + 90
        while self.docker("version", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.directory / "log").read_text()[-3000:])
            time.sleep(0.2)

    def stop(self) -> None:
        """End its containers and then itself."""
        if self.process is None:
            return
        ids = self.docker("ps", "-aq", check=False).stdout.split()
        if ids:
            self.docker("rm", "-f", *ids, check=False)
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
        self.process = None

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The docker client speaking to this engine directly."""
        return docker(self.admin, *words, check=check)

    def load_busybox(self) -> None:
        """Make the image `busybox` from the host's static binary."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(os.path.realpath("/bin/busybox"), "bin/busybox")
            for applet in (
                "sh",
                "cat",
                "echo",
                "sleep",
                "ls",
                "true",
                "false",
                "seq",
                "hostname",
                "stty",
                "env",
                "wc",
                "head",
            ):
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            for place in ("tmp", "etc", "proc", "sys", "dev"):
                directory = tarfile.TarInfo(place)
                directory.type, directory.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(directory)
        subprocess.run(
            [DOCKER, "-H", self.admin, "import", "-", "busybox"],
            input=archive.getvalue(), capture_output=True, check=True, timeout=120,
        )  # fmt: skip


class Engines:
    """`count` engines named node-1, node-2, ... that end with the `with` block."""

    def __init__(self, count: int, *flags: str) -> None:
        # a short path outside /tmp: exec-root holds sockets
        self.directory = Path(tempfile.mkdtemp(prefix="machine-engines-", dir="/var/tmp"))
        keep_in_memory(self.directory)
        self.all: Sequence[RealEngine] = [
            RealEngine(f"node-{i + 1}", self.directory / str(i + 1), *flags) for i in range(count)
        ]

    def __enter__(self) -> Sequence[RealEngine]:
        try:
            for engine in self.all:
                engine.start()
            with ThreadPoolExecutor(len(self.all)) as side_by_side:
                list(side_by_side.map(_ready, self.all))
        except BaseException:
            self.__exit__()
            raise
        return self.all

    def __exit__(self, *_: object) -> None:
        with ThreadPoolExecutor(len(self.all)) as side_by_side:
            list(side_by_side.map(lambda engine: engine.stop(), self.all))
        _unmount_below(str(self.directory))
        shutil.rmtree(self.directory, ignore_errors=True)


def _ready(engine: RealEngine) -> None:
    """Back when the engine answers and has the image busybox."""
    engine.wait()
    engine.load_busybox()


class Client(NamedTuple):
    """A docker client. `buildkit`: it builds with BuildKit by itself or through buildx."""

    path: str
    version: str
    buildkit: bool


def clients() -> list[Client]:
    """Every docker client in PATH, each version once."""
    found: dict[str, Client] = {}
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        path = shutil.which("docker", path=directory or os.curdir)
        if path is None:
            continue
        words = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.split()
        version = words[2].rstrip(",") if len(words) > 2 else "0"
        buildx = subprocess.run([path, "buildx", "version"], capture_output=True, check=False).returncode == 0
        major = version.partition(".")[0]
        built_in = major.isdecimal() and 18 < int(major) < 23  # taken out of the client in 23.0
        found.setdefault(version, Client(path, version, buildx or built_in))
    return list(found.values())


def stdin_of(text: str | None) -> dict[str, Any]:
    """The arguments of subprocess.run that make `text` the program's stdin; None: nothing."""
    return {"stdin": subprocess.DEVNULL} if text is None else {"input": text}


def docker(url: str, *words: str, check: bool = True, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the docker client against `url`; `text` is its stdin."""
    done = subprocess.run([DOCKER, "-H", url, *words], capture_output=True, text=True, timeout=120, **stdin_of(text))
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def _unmount_below(directory: str) -> None:
    lines = Path("/proc/mounts").read_text().splitlines()
    for mount in sorted((line.split()[1] for line in lines), reverse=True):
        if mount.startswith(directory):
            subprocess.run(["umount", "-l", mount], check=False, stderr=subprocess.DEVNULL)
