"""Calls that wait for an engine: all end, each once, when it is found not to answer, however many there are."""

from __future__ import annotations

import asyncio

import pytest

from machine.swarm.cluster.pending import PendingCalls
from machine.swarm.pipeline import ApiError, Reply, Request, Unreachable
from tests.swarm.fleet import swarm


@pytest.mark.parametrize("count", [1, 2, 100])
async def test_every_call_ends_when_the_engine_fails_under_them(count: int) -> None:
    """The first that breaks is the one that finds it out; some break at the same moment, the others hang."""

    async with swarm(1, retry=1) as fleet:
        await fleet.create("web", start=True)
        real, gate, asked = fleet.hosts[0], asyncio.Event(), []

        async def client(request: Request) -> Reply:
            if "/containers/" not in request.path or request.path == "/containers/json":
                return await real(request)
            asked.append(request)
            await gate.wait()
            if len(asked) % 2 and request is not asked[0]:
                await asyncio.Event().wait()
            raise Unreachable(502, "connection reset")

        (engine,) = fleet.cluster.healthy()
        engine.client = client
        calls = [asyncio.ensure_future(fleet.ask("GET", "/containers/web/json")) for _ in range(count)]
        await fleet.until(lambda: len(asked) >= count)
        real.down = True
        gate.set()
        done = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
        assert [type(one) for one in done if not isinstance(one, ApiError)] == []
        assert len(engine.open_calls) == 0


async def test_ending_twice_and_from_within_harms_nobody() -> None:
    async with asyncio.timeout(5):
        calls = PendingCalls()

        async def one() -> None:
            async with calls.waiting():
                await asyncio.Event().wait()

        async def ends_all() -> None:
            async with calls.waiting():
                calls.end_all()
                calls.end_all()
                await asyncio.Event().wait()

        done = await asyncio.gather(*(one() for _ in range(50)), ends_all(), return_exceptions=True)
        assert {type(each) for each in done} == {TimeoutError}
        calls.end_all()
        assert len(calls) == 0
