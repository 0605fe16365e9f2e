"""A real manager, behind a real listener, over engines of which one answers what a script says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from machine.swarm import limits
from machine.swarm.cluster import Cluster, Settings
from machine.swarm.cluster.engine import Engine
from machine.swarm.http.address import Address, parse
from machine.swarm.http.client import Client
from machine.swarm.http.server import Server
from machine.swarm.manager.manager import connector
from machine.swarm.manager.rescheduling import Rescheduler
from machine.swarm.manager.routes import ManagerContext, answer
from machine.swarm.pipeline import Reply, Request
from tests.scripted_engine import ScriptedEngine
from tests.swarm.fleet import Listed


class Front:
    """A listener with something behind it, asked over the wire; `lines` is its log."""

    def __init__(self, address: Address, lines: list[str]) -> None:
        self.address = address
        self.lines = lines

    async def ask(self, method: str, target: str, value: Any = None, *, seconds: float = 20) -> Reply:
        """The answer to a call, with its whole body."""
        client = Client(self.address, no_time_limit=True)
        try:
            async with asyncio.timeout(seconds):
                request = Request(method, target) if value is None else Request.json(method, target, value)
                reply = await client(request)
                if reply.status != 101:
                    await reply.read()
                return reply
        finally:
            await client.close()

    async def value(self, method: str, target: str, value: Any = None, *, seconds: float = 20) -> Any:
        """The JSON of a good answer."""
        reply = await self.ask(method, target, value, seconds=seconds)
        assert reply.ok, await reply.read()
        return json.loads(await reply.read() or b"null")


class Manager(Front):
    """`bad` is the scripted engine, called bad; `good` are sound ones. All are real servers."""

    cluster: Cluster
    bad: ScriptedEngine
    good: list[ScriptedEngine]

    def row(self) -> dict[str, str]:
        """What is known of the scripted engine: state and error."""
        engine = self.cluster.engines[self.bad.address]
        return {"state": str(engine.health.state), "error": engine.health.error}

    def engine(self, name: str) -> Engine:
        """What the manager knows of an engine."""
        found = self.cluster.engine(name)
        assert found is not None, f"no engine is called {name}"
        return found

    async def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def manager(good: int = 1, *, script: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Manager]:
    """A manager over the engine `bad`, with `script`, and `good` others called good-1, ..., two containers on each."""
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        bad = stack.enter_context(ScriptedEngine("bad", 2))
        bad.answers.update(script or {})
        others = [stack.enter_context(ScriptedEngine(f"good-{n + 1}", 2)) for n in range(good)]
        given = {"refresh_min": 0.2, "refresh_max": 0.3, "heartbeat": 0.1, "pace": 0.02, **settings}
        discovery = Listed([bad.address, *(engine.address for engine in others)])
        cluster = Cluster(discovery, connector(None), Settings(**given), log=lines.append)
        context = ManagerContext(cluster)
        rescheduler = Rescheduler(context)
        running = asyncio.ensure_future(cluster.run())
        server = Server(lambda request: answer(context, request), log=lines.append)
        try:
            found = Manager(await server.listen(parse("tcp://127.0.0.1:0")), lines)
            found.cluster, found.bad, found.good = cluster, bad, others
            healthy = {engine.address for engine in others}
            await found.until(lambda: healthy <= {e.address for e in cluster.healthy() if e.images and e.networks})
            yield found
        finally:
            await server.close()
            await rescheduler.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@contextlib.contextmanager
def costs_at_most(megabytes: float) -> Iterator[None]:
    """The process may not grow by more meanwhile."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < megabytes, f"{grown:.0f} MB"


class Pace:
    """How long the loop was busy at a stretch: `longest` seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Pace:
        self._task = asyncio.ensure_future(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.longest = max(self.longest, time.perf_counter() - before)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits of a second, so that a test sees them pass, and an engine on a busy computer keeps them."""
    for name, seconds in (("HEAD_SECONDS", 1.0), ("SILENT_SECONDS", 0.8), ("TRANSFER_SECONDS", 1.2)):
        monkeypatch.setattr(limits, f"ENGINE_{name}", seconds)
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.ANSWER", 1.2)
    monkeypatch.setattr("machine.swarm.cluster.engine_connection.SLOW", 0.2)


def showable(reply: Reply, body: bytes) -> None:
    """Nothing in an answer's head, and no raw control character in its body, can do something to a terminal."""
    for name, value in reply.headers:
        assert not any(byte < 32 or byte == 127 for byte in name + value), (name, value)
    assert b"\x1b" not in body
    assert b"\x00" not in body
