"""Fixtures: hosts for one test, and the program with a store and a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.program import Program
from tests.provision.conftest import boot

__all__ = ["boot", "program"]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program over an empty store."""
    return Program(tmp_path / "user")
