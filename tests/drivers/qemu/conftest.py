"""Processes with a command line of a test's choice, as those of a machine have."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

Start = Callable[..., int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process with the given extra arguments; its pid."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> int:
        ready = "import sys; print(); sys.stdout.flush(); sys.stdin.read()"
        made = subprocess.Popen([sys.executable, "-c", ready, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert made.stdout is not None
        made.stdout.readline()
        running.append(made)
        return made.pid

    yield begin
    for each in running:
        each.kill()
        each.communicate()
