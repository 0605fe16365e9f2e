"""Fixtures of the provisioning tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.labs.fixtures import lab
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import Boot

__all__ = ["boot", "lab"]


@pytest.fixture
def boot(lab: Lab) -> Iterator[Boot]:
    """Boots hosts as `Lab.host` does, for one test only."""
    made: list[Host] = []

    def host(name: str, *, engine: str = "running") -> Host:
        made.append(lab.host(name, engine=engine))
        return made[-1]

    yield host
    for one in made:
        lab.drop(one)
