"""Processes of an ordinary user, where the tests themselves run as root: another id, no groups, a home of its own.

`OrdinaryUser` runs programs that every user can reach. `run_as_somebody` runs those of this checkout, which may lie
below a directory that is root's alone: in a mount namespace of its own, where that directory shows what is needed and
nothing else, and where a copy of /etc knows one user more. All that ends with the process, whatever becomes of it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

NAME = "nobody"  # in every /etc/passwd: ssh refuses to work for an id without a name
SOMEBODY, SOMEBODY_ID = "somebody", 54321  # with a shell and a home, as sshd demands of who logs in
_CAPABILITIES = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
_NAMESPACE = """
set -eu
mount --make-rprivate /
files=$1 home=$2 id=$3
shift 3
mount --bind "$files/etc" /etc # not single files: another process that replaces /etc/passwd takes a mount away
while [ "$1" != -- ]; do # a directory that is closed to others, the number of paths below it that are needed, the paths
    closed=$1 count=$2
    shift 2
    number=0
    for path in "$@"; do
        [ $number -lt "$count" ] || break
        mkdir "$files/$number"
        mount --bind "$path" "$files/$number"
        number=$((number + 1))
    done
    mount -t tmpfs -o mode=0755 tmpfs "$closed"
    number=0
    while [ $number -lt "$count" ]; do
        mkdir -p "$1"
        mount --move "$files/$number" "$1"
        rmdir "$files/$number"
        number=$((number + 1))
        shift
    done
done
shift
exec setpriv --reuid="$id" --regid="$id" CAPABILITIES "$@"
""".replace("CAPABILITIES", " ".join(_CAPABILITIES))


@dataclass(frozen=True)
class OrdinaryUser:
    """A user who is not root, and a directory that is theirs."""

    home: Path
    uid: int
    gid: int

    def environ(self) -> dict[str, str]:
        """The environment of a fresh login."""
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.home), "USER": NAME, "LANG": "C.UTF-8"}

    def command(self, *words: str | Path) -> list[str]:
        """The words that run a program as this user."""
        if os.geteuid() == self.uid:
            return [str(word) for word in words]
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", *_CAPABILITIES, *map(str, words)]

    def run(
        self, words: Sequence[str | Path], environ: Mapping[str, str] = {}, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """A program run to its end, in the user's home."""
        return subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=self.home,
            env={**self.environ(), **environ},
        )

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """A program, while it runs."""
        pipe = subprocess.PIPE
        command = self.command(*words)
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=self.home, env=self.environ())

    def give(self, path: Path) -> Path:
        """Make a file or a tree below the home the user's own."""
        for entry in [path, *path.rglob("*")]:
            os.chown(entry, self.uid, self.gid, follow_symlinks=False)
        return path


def ordinary_user(public: Path) -> OrdinaryUser:
    """A user with an empty home below `public`, which others may enter: whoever runs the tests, or nobody for root."""
    home = public / "home"
    home.mkdir(mode=0o700)
    if os.geteuid() != 0:
        return OrdinaryUser(home, os.geteuid(), os.getegid())
    if not shutil.which("setpriv"):
        pytest.skip("becoming an ordinary user needs setpriv (package util-linux)")
    entry = pwd.getpwnam(NAME)
    user = OrdinaryUser(home, entry.pw_uid, entry.pw_gid)
    user.give(home)
    return user


def run_as_somebody(words: Sequence[str], needed: Sequence[Path], public: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a user who is made for it; `needed` are the directories that it must be able to read.

    Must be called by root. The user's home is below `public`, which others may enter.
    """
    files, home = public / "files", public / "home"
    files.mkdir()
    home.mkdir(mode=0o700)
    os.chown(home, SOMEBODY_ID, SOMEBODY_ID)
    lines = {
        "passwd": f"{SOMEBODY}:x:{SOMEBODY_ID}:{SOMEBODY_ID}::{home}:/bin/bash",
        "shadow": f"{SOMEBODY}:x:19000::::::",  # no password, and not locked: sshd refuses those
        "group": f"{SOMEBODY}:x:{SOMEBODY_ID}:",
    }
    subprocess.run(["cp", "--archive", "/etc", files / "etc"], check=True)
    for name, line in lines.items():
        with open(files / "etc" / name, "a") as file:
            file.write(line + "\n")
    closed = [word for place, paths in _closed(needed).items() for word in (place, len(paths), *paths)]
    command = ["unshare", "--mount", "sh", "-c", _NAMESPACE, "sh", files, home, SOMEBODY_ID, *closed, "--", *words]
    environ = {"HOME": str(home), "USER": SOMEBODY, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
        env={"PATH": os.environ["PATH"], **environ},
    )


def _closed(needed: Sequence[Path]) -> dict[Path, list[Path]]:
    """Directory that others may not enter -> the needed ones below it."""
    found: dict[Path, list[Path]] = {}
    paths = sorted({path.resolve() for path in needed})
    for path in (path for path in paths if not any(path.is_relative_to(other) for other in paths if other != path)):
        for parent in reversed(path.parents):
            if not parent.stat().st_mode & 0o001:
                found.setdefault(parent, []).append(path)
                break
    return found
