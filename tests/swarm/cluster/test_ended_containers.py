from __future__ import annotations

import asyncio

import pytest

from machine.swarm.cluster import ended_containers
from machine.swarm.cluster.container import ContainerRecord
from machine.swarm.events import Effect
from tests.swarm.cluster.test_facts_health_index import FakeHost


async def test_a_container_that_ended_is_looked_at_until_its_engine_lists_it_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ended_containers, "PAUSES", (0.0, 0.0, 0.0))

    container = ContainerRecord(FakeHost("n1"))
    container.state = "running"
    looks: list[str] = []
    found = ended_containers.EndedContainers()
    found.refresh_later(["c"], {"c": container}, looks.append)
    await asyncio.sleep(0.01)
    assert looks == []  # nobody said that it ended
    found.note(Effect("container", "c", ended=True))
    found.note(Effect("container", "c"))  # it left its network
    for count in (1, 2, 3, 3):
        found.refresh_later(["c"], {"c": container}, looks.append)
        await asyncio.sleep(0.01)
        assert looks == ["c"] * count
    found.note(Effect("container", "c", ended=True))
    container.state = "exited"
    found.refresh_later(["c", "gone"], {"c": container}, looks.append)
    await asyncio.sleep(0.01)
    assert len(looks) == 3
