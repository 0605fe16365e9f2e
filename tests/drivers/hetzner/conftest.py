"""A fresh project for each test; what it was answered is held against recorded answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.hetzner.fake_hetzner import Hetzner


@pytest.fixture
def cloud() -> Iterator[Hetzner]:
    """A project with nothing in it."""
    project = Hetzner()
    yield project
    project.close()
