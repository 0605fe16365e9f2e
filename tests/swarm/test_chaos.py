"""Engines that die and return at random while containers are made and removed: nothing is lost, nothing runs twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
from random import Random

import pytest

from machine.swarm.manager import rescheduling
from machine.swarm.pipeline import ApiError
from tests.swarm.fleet import Fleet, swarm

MOVES = {"Env": ["reschedule:on-node-failure"]}


async def chaos(fleet: Fleet, dice: Random, seconds: float) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Break and mend engines, and use the swarm meanwhile; the names of what must be there afterwards."""
    movable: set[tuple[str, str]] = set()
    fixed: set[tuple[str, str]] = set()
    number = 0
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(dice.uniform(0, 0.08))
        place = dice.choice(fleet.hosts)
        if place.down:
            place.switch(down=False)
        elif sum(p.down for p in fleet.hosts) < len(fleet.hosts) - 2 and dice.random() < 0.4:
            place.switch(down=True)
        number += 1
        moves = dice.random() < 0.6
        name = f"c{number}"
        with contextlib.suppress(ApiError):
            key = await fleet.create(name, start=True, **(MOVES if moves else {}))
            (movable if moves else fixed).add((name, key))
    return movable, fixed


def state(fleet: Fleet) -> tuple[dict[str, list[str]], set[str]]:
    """Every container of every engine: name -> states, and all ids."""
    found: dict[str, list[str]] = {}
    ids = set()
    for place in fleet.hosts:
        for key, container in place.engine.containers.items():
            found.setdefault(container.name, []).append(container.state)
            ids.add(key)
    return found, ids


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_and_nothing_runs_twice(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescheduling, "RETRY_SECONDS", 0.2)

    async with swarm(5) as fleet:
        movable, fixed = await chaos(fleet, random.Random(seed), 2.5)  # noqa: S311
        for place in fleet.hosts:
            if place.down:
                place.switch(down=False)
        await fleet.until(lambda: len(fleet.cluster.healthy()) == len(fleet.hosts))

        async def listed() -> set[str]:
            return {entry["Id"] for entry in await fleet.ask("GET", "/containers/json?all=1")}

        async with asyncio.timeout(10):  # doubles go, and the list is what there is
            while True:
                found, ids = state(fleet)
                if all(len(states) == 1 for states in found.values()) and await listed() == ids:
                    break
                await asyncio.sleep(0.05)
        assert {name for name, _ in movable | fixed} <= set(found)
        assert {key for _, key in fixed} <= ids
        assert all(found[name] == ["running"] for name, _ in movable | fixed)
        assert movable
        assert fixed
