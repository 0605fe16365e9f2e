"""A swarm in memory: simulated engines that can be switched off and on, behind a real manager."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from machine.swarm.cluster import Cluster, Settings
from machine.swarm.cluster.engine import Engine
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.signing import Keyring
from machine.swarm.discovery.base import Discovery
from machine.swarm.manager.rescheduling import Rescheduler
from machine.swarm.manager.routes import ManagerContext, answer
from machine.swarm.pipeline import NotConnected, Reply, Request
from machine.swarmd.simulator.backend import as_pipeline_end
from machine.swarmd.simulator.engine import SimulatedEngine


class SimulatedHost:
    """Where an engine is reached. `down`: refuses; `hangs`: never answers. Both end its events."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self.engine = engine
        self.down = self.hangs = False
        self.asked: list[tuple[str, str]] = []
        self.ask = as_pipeline_end(engine)
        self._cut = asyncio.Event()

    def switch(self, *, down: bool) -> None:
        """Off or on."""
        self.down = down
        cut, self._cut = self._cut, asyncio.Event()
        cut.set()

    async def __call__(self, request: Request) -> Reply:
        if self.down:
            raise NotConnected(502, "connection refused")
        if self.hangs:
            await asyncio.Event().wait()
        self.asked.append((request.method, request.target))
        reply = await self.ask(request)
        if request.path == "/events":
            assert isinstance(reply.body, AsyncIterator)
            return Reply(reply.status, reply.headers, self._until_cut(reply.body, self._cut))
        await asyncio.sleep(0)
        return reply

    @staticmethod
    async def _until_cut(body: AsyncIterator[bytes], cut: asyncio.Event) -> AsyncIterator[bytes]:
        ended = asyncio.ensure_future(cut.wait())
        try:
            while True:
                piece = asyncio.ensure_future(anext(body))
                await asyncio.wait((piece, ended), return_when=asyncio.FIRST_COMPLETED)
                if not piece.done():
                    piece.cancel()
                    return
                yield piece.result()
        finally:
            ended.cancel()


class Listed(Discovery):
    """Addresses that a test changes."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(addresses)

    async def nodes(self) -> list[str]:
        return list(self.addresses)


class Fleet:
    """`await fleet.ask("GET", "/info")` speaks to the manager; `fleet.hosts[0]` is the first engine's."""

    def __init__(
        self,
        engines: Sequence[SimulatedEngine],
        *,
        keyring: Keyring | None = None,
        ledger: Ledger | None = None,
        **settings: Any,
    ) -> None:
        self.hosts = [SimulatedHost(engine) for engine in engines]
        self.by_address = {f"10.0.0.{n + 1}:2375": place for n, place in enumerate(self.hosts)}
        given = {"refresh_min": 0.2, "refresh_max": 0.3, "heartbeat": 0.1, "pace": 0.02, **settings}
        self.discovery = Listed(self.by_address)
        self.lines: list[str] = []
        self.cluster = Cluster(
            self.discovery,
            self.by_address.__getitem__,
            Settings(**given),
            log=self.lines.append,
            keyring=keyring,
            ledger=ledger,
        )
        self.context = ManagerContext(self.cluster)

    async def __aenter__(self) -> Fleet:
        self.rescheduler = Rescheduler(self.context)
        self.task = asyncio.ensure_future(self.cluster.run())
        await self.until(lambda: len(self.cluster.healthy()) == len(self.hosts))
        await self.until(lambda: all(e.images for e in self.cluster.healthy()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rescheduler.close()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def call(self, method: str, target: str, value: Any = None) -> Reply:
        """The manager's answer, errors raised as Refused."""
        request = Request(method, target) if value is None else Request.json(method, target, value)
        return await answer(self.context, request)

    async def ask(self, method: str, target: str, value: Any = None) -> Any:
        """The JSON of the manager's answer."""
        return await (await self.call(method, target, value)).json_body()

    async def create(self, name: str = "", *, start: bool = False, **body: Any) -> str:
        """Make a container, and perhaps start it; its id."""
        made = await self.ask("POST", f"/containers/create?name={name}", {"Image": "busybox", **body})
        if start:
            await self.call("POST", f"/containers/{made['Id']}/start")
        return str(made["Id"])

    async def names(self, query: str = "all=1") -> list[str]:
        """NODE/name of the containers listed."""
        listed = await self.ask("GET", f"/containers/json?{query}")
        named = [(c["Names"][0].lstrip("/"), c["Id"]) for c in listed]
        return [name if "/" in name else f"{self.cluster.find(key).engine.name}/{name}" for name, key in named]

    def engine(self, name: str) -> Engine:
        """What the manager knows of an engine."""
        found = self.cluster.engine(name)
        assert found is not None, f"no engine is called {name}"
        return found

    async def until(self, true: Callable[[], object], seconds: float = 30) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.01)

    async def events(self, target: str = "/events") -> tuple[list[dict[str, Any]], asyncio.Task[None]]:
        """A running collection of events: a list that grows, and the task to cancel."""
        found: list[dict[str, Any]] = []
        body = (await self.call("GET", target)).body
        assert isinstance(body, AsyncIterator)

        async def read() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                async for piece in body:
                    found.extend(json.loads(line) for line in piece.splitlines() if line)

        return found, asyncio.ensure_future(read())


def engines(count: int, containers: int = 0, **more: Any) -> list[SimulatedEngine]:
    """Simulated engines called n1, n2, ..."""
    return [SimulatedEngine(f"n{n + 1}", containers, **more) for n in range(count)]


def swarm(
    count: int = 3, containers: int = 0, *, simulated_engines: Sequence[SimulatedEngine] | None = None, **settings: Any
) -> Fleet:
    """A fleet that is not started yet: `async with swarm(2) as fleet`."""
    return Fleet(simulated_engines or engines(count, containers), **settings)
