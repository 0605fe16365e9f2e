"""Lists of one engine that come in another order than they were asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from machine.swarm.cluster import answer_sequence
from machine.swarm.cluster.engine import Engine
from tests.swarm.fleet import swarm


class DelayedList:
    """Holds back an engine's next list of all containers, which is what it was when it was asked for."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.release = asyncio.Event()
        self.begun = asyncio.Event()
        get = engine.get

        async def slow(path: str, query: dict[str, list[str]] | None = None, **more: Any) -> Any:
            answer = await get(path, query, **more)
            if path == "/containers/json" and "filters" not in (query or {}) and not self.begun.is_set():
                self.begun.set()
                await self.release.wait()
            return answer

        monkeypatch.setattr(engine, "get", slow)
        self.look = asyncio.ensure_future(engine.refresh())

    async def come_in(self) -> None:
        """Let the old list come in."""
        self.release.set()
        await self.look


async def test_an_older_list_does_not_take_away_what_was_made_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    async with swarm(1, refresh_min=1000, refresh_max=1000) as fleet:
        delayed = DelayedList(fleet.engine("n1"), monkeypatch)
        await delayed.begun.wait()
        key = await fleet.create("web", Env=["reschedule:on-node-failure", "constraint:node==n1"])
        await delayed.come_in()
        assert fleet.cluster.find("web").id == key
        assert fleet.cluster.ledger.is_current(fleet.cluster.find("web").swarm_id, key)


async def test_an_older_list_does_not_bring_back_what_was_removed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    async with swarm(1, refresh_min=1000, refresh_max=1000) as fleet:
        await fleet.create("web")
        delayed = DelayedList(fleet.engine("n1"), monkeypatch)
        await delayed.begun.wait()
        await fleet.call("DELETE", "/containers/web")
        await asyncio.sleep(0.05)  # its event has been heard
        await delayed.come_in()
        assert not fleet.cluster.index.with_name("web")
        await fleet.create("web")


@pytest.mark.parametrize("verb", ["start", "rename?name=new"])
async def test_an_older_list_does_not_undo_what_was_changed_meanwhile(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with swarm(1, refresh_min=1000, refresh_max=1000) as fleet:
        key = await fleet.create("web")
        delayed = DelayedList(fleet.engine("n1"), monkeypatch)
        await delayed.begun.wait()
        await fleet.call("POST", f"/containers/{key}/{verb}")
        await delayed.come_in()
        container = fleet.cluster.find(key)
        assert (container.state == "running") if verb == "start" else (container.name == "new")


def test_what_is_remembered_of_removals_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_sequence, "MAX_REMOVALS", 10)
    found = answer_sequence.AnswerSequence()
    first = found.begin()
    for number in range(100):
        found.remove(str(number))
    assert found.is_old("99", first)
    assert not found.is_old("99", found.begin())
    assert [number for number in range(100) if found.is_old(str(number), first)] == list(range(90, 100))
