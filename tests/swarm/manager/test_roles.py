"""The role of a replica follows the election, whatever happens at the same time; and calls do not wait for ever."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from machine.swarm.discovery.candidate import ElectionCandidate
from machine.swarm.manager import manager as manager_module
from machine.swarm.manager.election import Election
from machine.swarm.manager.manager import Replicas
from machine.swarm.manager.routes import ManagerContext
from machine.swarm.pipeline import ApiError, NotConnected, Reply, Request, not_implemented

US, OTHER = "10.0.0.1:3376", "10.0.0.2:3376"


class Silent(ElectionCandidate):
    """Never asked: the test says who leads."""

    async def leader(self) -> str:
        raise NotImplementedError

    async def campaign(self) -> bool:
        raise NotImplementedError

    async def renew(self) -> bool:
        raise NotImplementedError

    async def resign(self) -> None:
        raise NotImplementedError

    async def wait_for_change(self, seconds: float) -> None:
        raise NotImplementedError


class SlowRescheduler:
    """Takes a moment to close."""

    def __init__(self, _: Any) -> None:
        pass

    async def close(self) -> None:
        await asyncio.sleep(0.05)


def replicas(ttl: int = 20, connect: Any = None) -> tuple[Replicas, Election, SimpleNamespace]:
    context = SimpleNamespace(role="", primary="")
    election = Election(Silent(US, ttl))
    return Replicas(cast(ManagerContext, context), election, connect), election, context


async def test_a_change_while_the_rescheduler_is_closed_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager_module, "Rescheduler", SlowRescheduler)
    made, election, context = replicas()
    election.set_primary(US)
    following = asyncio.ensure_future(made.follow())
    await asyncio.sleep(0.02)
    assert context.role == "primary"
    election.set_primary("")
    await asyncio.sleep(0.02)  # the rescheduler is being closed now
    election.set_primary(OTHER)
    await asyncio.sleep(0.2)
    following.cancel()
    assert (context.role, context.primary) == ("replica", OTHER)


async def test_a_call_does_not_wait_for_ever_for_a_primary() -> None:
    made, _, _ = replicas(ttl=0)
    with pytest.raises(ApiError, match="no primary manager") as refused:
        await asyncio.wait_for(made(Request("GET", "/containers/json"), not_implemented), 5)
    assert refused.value.status == 503


async def test_a_change_while_the_primary_is_called_is_seen_at_once() -> None:
    def connect(address: str) -> Any:
        async def call(_: Request) -> Reply:
            if address == US + "0":
                election.set_primary(OTHER)
                await asyncio.sleep(0)
                raise NotConnected(502, "cannot connect")
            return Reply(200, (), address.encode())

        return call

    made, election, _ = replicas(connect=connect)
    election.set_primary(US + "0")
    began = time.monotonic()
    assert (await made(Request("GET", "/containers/json"), not_implemented)).body == OTHER.encode()
    assert time.monotonic() - began < 5  # unseen, the change would be waited for as long as the election's ttl
