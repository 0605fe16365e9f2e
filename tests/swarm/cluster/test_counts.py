"""What the scheduler counts on an engine is what the manager knows of it, at every moment."""

from __future__ import annotations

import asyncio

import pytest

from machine.swarm import limits
from machine.swarm.cluster import engine as engine_module
from tests.swarm.fleet import swarm


async def test_containers_count_while_a_long_list_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "YIELD_ENTRIES", 1)
    async with swarm(1, 5, refresh_min=1000, refresh_max=1000) as fleet:
        engine = fleet.engine("n1")
        assert engine.node.count == 5
        engine.forget_all()
        assert engine.node.count == 0
        refresh = asyncio.ensure_future(engine.refresh())
        seen = set()
        while not refresh.done():
            await asyncio.sleep(0)
            assert engine.node.count == len(engine.containers)
            seen.add(engine.node.count)
        assert seen >= {1, 2, 3, 4, 5}


async def test_containers_of_an_engine_with_another_name_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are removed until they are listed under the new name."""
    async with swarm(1, 5, refresh_min=0.01, refresh_max=0.01) as fleet:
        engine = fleet.engine("n1")
        fleet.hosts[0].engine.name = "n2"
        monkeypatch.setattr(engine_module, "INFO_SECONDS", -1.0)
        async with asyncio.timeout(10):
            while engine.name != "n2":
                await asyncio.sleep(0)
        assert engine.node.count == len(engine.containers)
