from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.swarm.fleet import Fleet, swarm


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """A manager over three simulated engines, n1 to n3."""
    async with swarm() as running:
        yield running
