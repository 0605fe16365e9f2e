"""What is measured: the installed program, the bare interpreter beside it, and the peer, each as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Failed

ROOT = Path(__file__).parents[2]
PEER = "docker-machine"
SECONDS = 900.0  # after which a command is given up


@dataclass(frozen=True)
class Subject:
    """The programs, and a directory for all that they write."""

    place: Path
    program: str  # our `machine`
    peer: str  # a docker-machine, "" if there is none
    runs: int

    @property
    def python(self) -> str:
        """The interpreter that our program runs on."""
        beside = Path(self.program).parent / "python"
        return str(beside) if beside.exists() else sys.executable

    def environ(self, store: str = "store") -> dict[str, str]:
        """A home of its own; nothing of the caller's that could change what is measured."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MACHINE_", "DOCKER_", "SSH_"))}
        home = self.place / "home"
        home.mkdir(exist_ok=True)
        own = {
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "MACHINE_STORAGE_PATH": str(self.place / store),
        }
        return {**kept, **own, "SHELL": "/bin/bash"}

    def ours(self, *words: str, store: str = "store") -> float:
        """Seconds that `machine WORDS` took. Failed if it failed."""
        return timed([self.program, *words], self.environ(store))

    def theirs(self, *words: str, store: str = "store") -> float:
        """The same of the peer."""
        return timed([self.peer, *words], self.environ(store))

    def bare(self) -> float:
        """Seconds of an interpreter that does nothing."""
        return timed([self.python, "-c", "pass"], self.environ())


def timed(argv: Sequence[str], environ: Mapping[str, str], shell: str = "") -> float:
    """Seconds from start to end of a process whose output goes to a pipe. Failed on any status but 0."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            argv, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from None
    took = time.perf_counter() - began
    if done.returncode != 0:
        words = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise Failed(f"status {done.returncode}, {words[0][:100] if words else 'no word'}")
    return took


def install(place: Path) -> str:
    """The path of `machine` in a fresh virtual environment: `pip install` of this checkout, compiled, not editable."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    source = place / "source"
    files = subprocess.run(
        ["git", "ls-files", "-z", "machine", "certs", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for file in filter(None, files):  # a copy, for building leaves files behind
        if (ROOT / file).exists():
            (source / file).parent.mkdir(parents=True, exist_ok=True)
            (source / file).write_bytes((ROOT / file).read_bytes())
    (source / "README.md").touch()
    venv = place / "venv"
    for argv in (
        [sys.executable, "-m", "venv", str(venv)],
        [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--compile", str(source)],
    ):
        subprocess.run(argv, env=environ, check=True, stdout=subprocess.DEVNULL)
    return str(venv / "bin/machine")
