"""Fixtures: hosts for one test, and the program with a store and a home of its own."""

from __future__ import annotations

from tests.e2e.conftest import program
from tests.provision.conftest import boot, lab

__all__ = ["boot", "lab", "program"]
