"""Fresh Debian file systems in which packages are installed and run, by root and by an ordinary user called tester.

    debian-12    python3 and nothing beside it, and apt's lists
    debian-13    what machine's package depends on, shells, man-db, lintian; apt's lists

They are made once by mmdebstrap and kept in the lab's cache; a test gets a layer of its own over one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine.drivers.images import apt_sources
from tests.labs import image
from tests.labs.image import LabUnavailable

USER, UID = "tester", 1000
DEPENDENCIES = ("cryptography", "h11", "paramiko", "pycdlib", "rich")
TOOLS = ("man-db", "groff-base", "bash-completion", "zsh", "fish", "openssh-client", "lintian")
PACKAGES = {
    "bookworm": ("python3",),
    "trixie": ("python3", *(f"python3-{name}" for name in DEPENDENCIES), *TOOLS),
}


@dataclass(frozen=True)
class DebianRoot:
    """One file system, for a while."""

    place: Path

    def root(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """A program run by root in it."""
        return self._run(["chroot", str(self.place)], words, "/root", timeout)

    def user(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """A program run by the ordinary user in it, in their home."""
        enter = ["chroot", f"--userspec={UID}:{UID}", "--groups=", str(self.place)]
        return self._run(enter, words, f"/home/{USER}", timeout)

    def give(self, source: Path, name: str, mode: int = 0o600) -> str:
        """Copy a file to the ordinary user's home; return its path in there."""
        target = self.place / "home" / USER / name
        shutil.copy(source, target)
        target.chmod(mode)
        shutil.chown(target, UID, UID)
        return f"/home/{USER}/{name}"

    def _run(
        self, enter: list[str], words: Sequence[str], home: str, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        environ = ["env", "-i", "-C", home, f"HOME={home}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        environ += ["TERM=dumb", "DEBIAN_FRONTEND=noninteractive", "MAN_DISABLE_SECCOMP=1"]
        return subprocess.run(
            [*enter, *environ, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextlib.contextmanager
def debian_root(suite: str, place: Path) -> Iterator[DebianRoot]:
    """A fresh layer over the file system of a suite, mounted below `place`. Raises LabUnavailable."""
    lower = made(suite)
    (place / "upper").mkdir(parents=True)
    with image.overlay(lower, place / "upper", place / "work") as mounted:
        yield DebianRoot(mounted)


def made(suite: str) -> Path:
    """The file system of a suite, made now if it is not there yet."""
    image.check()
    recipe = "\n".join([suite, *PACKAGES[suite], USER])
    home = image.cache() / f"{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home / "root", ignore_errors=True)
            _make(suite, home / "root")
            (home / "complete").touch()
    return home / "root"


def _make(suite: str, root: Path) -> None:
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    user = f'--customize-hook=chroot "$1" useradd --create-home --uid {UID} --shell /bin/bash {USER}'
    include = "--include=" + ",".join((*PACKAGES[suite], "passwd"))
    command = ["mmdebstrap", "--variant=apt", "--skip=cleanup/apt/lists", include, user, suite, str(root)]
    done = subprocess.run([*command, *apt_sources.lines(suite, arch)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabUnavailable(f"a file system of Debian {suite} could not be made: {done.stderr[-2000:]}")
