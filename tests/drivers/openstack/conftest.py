"""A fresh project for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.openstack.fake_openstack import Stack


@pytest.fixture
def cloud() -> Iterator[Stack]:
    """A project with nothing in it but the default group."""
    found = Stack()
    yield found
    found.close()
