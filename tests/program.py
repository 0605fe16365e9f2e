"""The installed program as a user runs it: a process, with an environment of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.starter import starter

ROOT = Path(__file__).parents[1]
FORKED = ("machine", "tests.killable")


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
            "MACHINE_SHARE": "none",  # the few tests that are about it say otherwise
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
        """Any program in that environment; modules of ours by a fork (tests/starter.py)."""
        whole = {**self.environ(), **environ}
        forked = argv[:2] == [sys.executable, "-m"] and argv[2] in FORKED and whole["PYTHONPATH"] == str(ROOT)
        if forked and sys.platform == "linux":
            return _forked(argv, stdin, timeout, whole)
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=whole)
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *line: str, stderr: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """`machine LINE...`, while it runs; stdin has nothing, stdout and stderr are pipes."""
        argv = [sys.executable, "-m", "machine", *line]
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(argv, stdin=nothing, stdout=pipe, stderr=stderr, text=True, env=self.environ())

    def names(self) -> list[str]:
        """The machines that `ls -q` shows."""
        return self("ls", "-q").fine().out.split()


def _forked(argv: list[str], stdin: str, timeout: float, environ: Mapping[str, str]) -> Ended:
    """What subprocess.run does, of a program that is forked: TimeoutExpired and no process when it does not end."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        child = starter().start(argv[2], argv[3:], environ, [given.fileno(), out.fileno(), err.fileno()])
        expired = threading.Event()

        def end() -> None:
            expired.set()
            os.kill(child.pid, signal.SIGKILL)

        clock = threading.Timer(timeout, end)
        clock.start()
        try:
            status = child.wait()
        finally:
            clock.cancel()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    if expired.is_set():
        raise subprocess.TimeoutExpired(argv, timeout, said[0], said[1])
    return Ended(status, said[0], said[1])
