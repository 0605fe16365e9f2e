"""Processes of an ordinary user, where the tests themselves run as root: another id, no groups, a home of its own."""

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
        who = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
        return ["setpriv", *who, "--no-new-privs", *(str(word) for word in words)]

    def run(
        self, words: Sequence[str | Path], environ: Mapping[str, str] = {}, timeout: float = 120, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A program run to its end, in the user's home."""
        return subprocess.run(
            self.command(*words),
            input=stdin,
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
