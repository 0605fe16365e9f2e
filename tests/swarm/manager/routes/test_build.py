"""Where builds go, and the raw connections that belong to them."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from machine.swarm.manager.routes import answer, build
from machine.swarm.pipeline import ApiError, Reply, Request
from tests.swarm.fleet import Fleet, swarm


async def session(fleet: Fleet, key: str) -> Reply:
    """Open a session, as a client does beside its build; the engine may refuse it, we look at where it went."""
    return await answer(fleet.context, Request("POST", "/session", ((build.SESSION, key.encode()),)))


def went(fleet: Fleet, path: str) -> list[int]:
    """The numbers of the engines that were asked for a path."""
    return [n for n, place in enumerate(fleet.hosts, 1) for _, target in place.asked if path in target]


def arguments(**values: str) -> str:
    return "buildargs=" + quote(json.dumps({key.replace("_", ":"): value for key, value in values.items()}))


@pytest.mark.parametrize("first", ["session", "build"])
async def test_a_session_goes_where_its_build_was_placed_whoever_comes_first(first: str, fleet: Fleet) -> None:
    for number in (3, 1, 2):
        key = f"key{number}"
        calls = [
            session(fleet, key),
            fleet.call("POST", f"/v1.41/build?version=2&session={key}&{arguments(constraint_node=f'=n{number}')}"),
        ]
        await asyncio.gather(*(calls if first == "session" else reversed(calls)))
    assert went(fleet, "/session") == went(fleet, "/build") == [1, 2, 3]
    sent = [target for place in fleet.hosts for _, target in place.asked if "/build" in target]
    assert not any("constraint" in target for target in sent)


async def test_what_names_no_build_goes_to_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "HOLD", 0.05)

    async with swarm() as fleet:
        for number in range(4):
            await fleet.call("POST", "/grpc")
            await session(fleet, f"key{number}")
            await fleet.create(start=True)  # so that another engine would be chosen
        assert len(set(went(fleet, "/grpc") + went(fleet, "/session"))) == 1
        (builder,) = set(went(fleet, "/grpc"))
        fleet.hosts[builder - 1].switch(down=True)
        await fleet.until(lambda: len(fleet.cluster.healthy()) == 2)
        await fleet.call("POST", "/grpc")
        assert len(set(went(fleet, "/grpc"))) == 2


async def test_a_build_that_fits_nowhere_or_makes_no_sense_is_refused(fleet: Fleet) -> None:
    for query, status in ((arguments(constraint_node="=n9"), 500), (arguments(constraint_node=""), 400)):
        with pytest.raises(ApiError) as told:
            await fleet.call("POST", f"/build?{query}")
        assert told.value.status == status
    for query in ("buildargs=nonsense", "buildargs=[1]"):
        with pytest.raises(ApiError, match="buildargs"):
            await fleet.call("POST", f"/build?{query}")
    assert went(fleet, "/build") == []


async def test_a_build_is_cancelled_where_it_runs(fleet: Fleet) -> None:
    await fleet.call("POST", f"/build?buildid=b1&{arguments(constraint_node='=n2')}")
    await fleet.call("POST", "/build/cancel?id=b1")
    assert went(fleet, "/build/cancel") == [2]
    with pytest.raises(ApiError, match="No such build"):
        await fleet.call("POST", "/build/cancel?id=other")


async def test_containers_of_a_builds_steps_are_gone_with_its_end() -> None:
    """The engine tells their end by events, which may come after the client has asked for the list."""

    async with swarm(refresh_min=1000.0, refresh_max=1000.0) as fleet:
        await fleet.create("step", start=True)
        (engine,) = [place.engine for place in fleet.hosts if "step" in place.engine.names]
        del engine.containers[engine.names.pop("step")]  # and no event
        asked = arguments(constraint_node=f"={engine.name}")
        await (await fleet.call("POST", f"/v1.41/build?version=1&{asked}")).read()
        assert await fleet.ask("GET", "/containers/json?all=1") == []
