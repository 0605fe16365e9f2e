"""The pauses that a cloud's SDK makes before it repeats a call: written down instead of waited for."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

BRIEF = 0.01  # seconds of each that are waited all the same, for other threads


class Pauses:
    """Stands in a module for `time`: all of it, but its `sleep` is short; `asked` is how long each was to be."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Write the pause down."""
        self.asked.append(seconds)
        time.sleep(min(seconds, BRIEF))

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def written_down(module: str, patch: pytest.MonkeyPatch) -> Pauses:
    """From now on the pauses that this module makes by `time.sleep`."""
    found = Pauses()
    patch.setattr(importlib.import_module(module), "time", found)
    return found
