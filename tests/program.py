"""The installed program as a user runs it: a process, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """What one call left: status, stdout, stderr."""

    status: int
    out: str
    err: str

    def fine(self) -> Ended:
        """Itself, or AssertionError with all that was said."""
        assert self.status == 0, f"status {self.status}\n{self.err}\n{self.out}"
        return self


@dataclass(frozen=True)
class Program:
    """`machine` over one store and one home, both below `place`."""

    place: Path

    @property
    def store(self) -> Path:
        return self.place / "store"

    def environ(self) -> dict[str, str]:
        """The environment of every call."""
        self.place.mkdir(exist_ok=True)
        return {
            **os.environ,
            "HOME": str(self.place),
            "DOCKER_CONFIG": str(self.place / ".docker"),
            "MACHINE_STORAGE_PATH": str(self.store),
            "PYTHONPATH": str(ROOT),
        }

    def __call__(self, *line: str, stdin: str = "", timeout: float = 300, environ: Mapping[str, str] = {}) -> Ended:
        """`machine LINE...`, to its end."""
        return self.run([sys.executable, "-m", "machine", *line], stdin, timeout, environ)

    def killed(self, log: Path, moment: str, *line: str, timeout: float = 300) -> Ended:
        """The same, killed at a moment of tests/killable.py."""
        return self.run([sys.executable, "-m", "tests.killable", str(log), moment, *line], "", timeout, {})

    def shell(self, script: str, timeout: float = 300) -> Ended:
        """A bash script with `machine` on its PATH."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return self.run(["bash", "-euo", "pipefail", "-c", script], "", timeout, {"PATH": path})

    def run(self, argv: list[str], stdin: str, timeout: float, environ: Mapping[str, str]) -> Ended:
        """Any program in that environment."""
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, env={**self.environ(), **environ}
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *line: str, stderr: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """`machine LINE...`, while it runs; stdin has nothing, stdout and stderr are pipes."""
        argv = [sys.executable, "-m", "machine", *line]
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(argv, stdin=nothing, stdout=pipe, stderr=stderr, text=True, env=self.environ())

    def names(self) -> list[str]:
        """The machines that `ls -q` shows."""
        return self("ls", "-q").fine().out.split()
