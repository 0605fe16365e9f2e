"""Two managers over one etcd: one leads, the other forwards, and takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from machine.swarm.cluster import Settings
from machine.swarm.discovery import from_url
from machine.swarm.http.address import Address
from machine.swarm.http.server import Server
from machine.swarm.manager.manager import ManagerConfig, manager
from machine.swarm.pipeline import ApiError, Request, compose
from machine.swarmd.simulator.backend import as_pipeline_end
from machine.swarmd.simulator.engine import SimulatedEngine
from tests.sshd import free_port
from tests.swarm.discovery.test_stores import candidate, etcd

__all__ = ["etcd"]


class Manager:
    """One manager, listening where it advertises."""

    def __init__(self, url: str) -> None:
        self.at = f"127.0.0.1:{free_port()}"
        self.plan = ManagerConfig(from_url(url), Settings(heartbeat=1), replication=True, advertise=self.at, ttl=2)

    async def __aenter__(self) -> Manager:
        self.alive = manager(self.plan)
        self.chain = compose([await self.alive.__aenter__()])
        self.server = Server(self.chain)
        host, _, port = self.at.partition(":")
        await self.server.listen(Address(host, int(port)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()
        await self.alive.__aexit__(None, None, None)

    async def ask(self, method: str, target: str, value: dict[str, str] | None = None) -> Any:
        request = Request(method, target) if value is None else Request.json(method, target, value)
        return await (await self.chain(request)).json_body()

    async def role(self) -> dict[str, str]:
        return dict(row for row in (await self.ask("GET", "/info"))["SystemStatus"] if row[0] in ("Role", "Primary"))


async def until(true: Callable[..., Any]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.05)


async def test_one_leads_the_other_forwards_and_takes_over(etcd: str) -> None:
    async def listed(one: Manager) -> bool:
        return len(await one.ask("GET", "/containers/json?all=1")) == 1

    url = f"etcd://{etcd}/replicas"
    engine = Server(as_pipeline_end(SimulatedEngine("n1", container_names=("web",))))
    at = await engine.listen(Address("127.0.0.1", 0))
    await from_url(url).register(f"127.0.0.1:{at.port}", 60)
    async with Manager(url) as first:

        async def leads() -> bool:
            return (await first.role())["Role"] == "primary"

        await until(leads)
        async with Manager(url) as second:

            async def follows() -> bool:
                return (await second.role()) == {"Role": "replica", "Primary": first.at}

            await until(follows)
            await until(lambda: listed(second))
            made = await second.ask("POST", "/containers/create?name=new", {"Image": "busybox"})
            assert (await first.ask("GET", "/containers/new/json"))["Id"] == made["Id"]
            assert (await second.ask("GET", "/containers/new/json"))["Node"]["Name"] == "n1"
            await first.server.close()
            await first.alive.__aexit__(None, None, None)

            async def took_over() -> bool:
                return (await second.role())["Role"] == "primary"

            await until(took_over)
            assert len(await second.ask("GET", "/containers/json?all=1")) == 2
            first.server, first.alive = Server(first.chain), manager(first.plan)  # for its own __aexit__
            await first.alive.__aenter__()
    await engine.close()


async def test_a_call_waits_until_another_has_taken_over_from_a_primary_that_died(etcd: str) -> None:
    url = f"etcd://{etcd}/died"
    engine = Server(as_pipeline_end(SimulatedEngine("n1")))
    at = await engine.listen(Address("127.0.0.1", 0))
    await from_url(url).register(f"127.0.0.1:{at.port}", 60)
    dead = candidate(url, f"127.0.0.1:{free_port()}", 2)  # nobody listens there, or renews its lease
    assert await dead.campaign()
    async with Manager(url) as second:

        async def follows() -> bool:
            return (await second.role()) == {"Role": "replica", "Primary": dead.address}

        await until(follows)
        made = await second.ask("POST", "/containers/create?name=new", {"Image": "busybox"})
        assert (await second.role())["Role"] == "primary"
        assert (await second.ask("GET", "/containers/new/json"))["Id"] == made["Id"]
    await engine.close()


async def test_a_primary_that_stays_away_is_said(etcd: str) -> None:
    url = f"etcd://{etcd}/away"
    away = candidate(url, f"127.0.0.1:{free_port()}", 60)
    assert await away.campaign()
    async with Manager(url) as second:
        with pytest.raises(ApiError, match=f"the primary manager, {away.address}, is not there: cannot connect"):
            await second.ask("GET", "/containers/json")


async def test_a_discovery_that_cannot_elect_is_refused() -> None:
    from machine.swarm.discovery import DiscoveryError

    plan = ManagerConfig(from_url("a:1"), Settings(), replication=True, advertise="b:1")
    with pytest.raises(DiscoveryError, match="etcd"):
        async with manager(plan):
            raise AssertionError("it must not start")
