"""What all routes share: the cluster, what was promised to clients, and ways to ask engines."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from machine.swarm.cluster import Cluster, Container, Engine
from machine.swarm.cluster.facts import EngineFacts
from machine.swarm.fanout.broadcast import broadcast, successful
from machine.swarm.manager.routes.image_changes import ImageChanges
from machine.swarm.pipeline import ApiError, Headers, Request
from machine.swarm.placing.name_reservations import NameReservations
from machine.swarm.scheduler import NoNode, rank
from machine.swarm.scheduler.expressions import BadExpression
from machine.swarm.scheduler.filters import NO_HEALTHY_NODE
from machine.swarm.scheduler.placement_request import PlacementRequest

T = TypeVar("T")
MAX_REMEMBERED_IDS = 100_000  # exec ids, and sessions, of which the engine is remembered
MAX_REMEMBERED_NETWORKS = 10_000  # networks of which the body, or the move, is remembered


class MergedInfo(NamedTuple):
    """What `merge` made of the infos of engines with these facts, and the same as JSON."""

    facts: list[EngineFacts]
    value: dict[str, Any]
    text: bytes


class ManagerContext:
    """What the routes of one manager share. `role` is "primary" or "replica", as `info` says it."""

    def __init__(self, cluster: Cluster, *, role: str = "primary", debug: bool = False) -> None:
        self.cluster = cluster
        self.role = role
        self.primary = ""  # the primary's address, while we are a replica
        self.debug = debug
        self.names = NameReservations()
        self.replaced_network_ids: OrderedDict[str, str] = (
            OrderedDict()
        )  # id of a network that was made again elsewhere -> its new id
        self.network_bodies: OrderedDict[str, dict[str, Any]] = OrderedDict()  # id -> what a client made it from
        self.locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}  # (kind, name) -> lock, its users
        self.execs: OrderedDict[str, Engine] = OrderedDict()
        self.sessions: OrderedDict[str, tuple[Engine, float]] = OrderedDict()
        self.builder: tuple[Engine, float] | None = None  # of connections that say nothing of what they build
        self.images = ImageChanges(cluster)
        self.merged_info: MergedInfo | None = None
        self.build_caches: OrderedDict[str, Engine] = OrderedDict()  # what was built -> where its cache is
        self.last_buildx_call = float("-inf")  # time.monotonic() of the last call of buildx

    def remember_exec(self, key: str, engine: Engine) -> None:
        """Remember the engine of an exec, for its start, resize and inspect."""
        self.execs[key] = engine
        while len(self.execs) > MAX_REMEMBERED_IDS:
            self.execs.popitem(last=False)

    def remember_session(self, key: str, engine: Engine) -> None:
        """Remember the engine of a build session, for the builds that name it."""
        self.sessions[key] = (engine, time.monotonic())
        while len(self.sessions) > MAX_REMEMBERED_IDS:
            self.sessions.popitem(last=False)

    def remember_network(self, key: str, body: dict[str, Any]) -> None:
        """Remember the request that made a network, so that an unused one can be made again on another engine."""
        self.network_bodies[key] = body
        while len(self.network_bodies) > MAX_REMEMBERED_NETWORKS:
            self.network_bodies.popitem(last=False)

    def remember_move(self, before: str, after: str) -> None:
        """A network was made again under another id; both ids mean it from now on."""
        for old, new in self.replaced_network_ids.items():
            if new == before:
                self.replaced_network_ids[old] = after
        self.replaced_network_ids[before] = after
        while len(self.replaced_network_ids) > MAX_REMEMBERED_NETWORKS:
            self.replaced_network_ids.popitem(last=False)

    @asynccontextmanager
    async def one_at_a_time(self, kind: str, name: str) -> AsyncIterator[None]:
        """One at a time for each name, so that two who ask for it at once do not make it on two engines."""
        key = (kind, name)
        lock, users = self.locks.get(key, (asyncio.Lock(), 0))
        self.locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self.locks[key]
            if users == 1:
                del self.locks[key]
            else:
                self.locks[key] = (lock, users - 1)

    def container(self, name: str) -> Container:
        """The container that is meant, on an engine that answers.

        Raises ApiError(404) if there is none, ApiError(500) if its engine does not answer.
        """
        found = self.cluster.find(name)
        if not found.engine.reachable:
            text = f"Container {name} running on unhealthy node {found.engine.name}, which does not answer: Host Down"
            raise ApiError(500, text)
        return found

    def node(self, name: str) -> Engine:
        """The healthy engine called `name`.

        Raises ApiError(404) if there is none, ApiError(500) if it does not answer.
        """
        engine = self.cluster.engine(name)
        if engine is None:
            raise ApiError(404, f"No such node: {name}")
        if not engine.reachable:
            raise ApiError(500, f"Node {name} does not answer: {engine.health.error}")
        return engine

    def choose(
        self, placement: PlacementRequest, nodes: Iterable[Engine] | None = None, *, limit: int = 0
    ) -> list[Engine]:
        """The engines that can take it, best first, at most `limit` of them (0 = all).

        Raises ApiError(500) as classic Swarm answers if none can.
        """
        engines = self.cluster.engines.values() if nodes is None else nodes
        settings = self.cluster.settings
        try:
            ranked = rank([e.node for e in engines], placement, settings.strategy, settings.filters, limit=limit)
        except (NoNode, BadExpression) as error:
            raise ApiError(500, str(error)) from error
        return [node.owner for node in ranked]

    async def broadcast(
        self, engines: Sequence[Engine], act: Callable[[Engine], Awaitable[T]]
    ) -> dict[Engine, T | ApiError]:
        """Call `act` with every engine at once, see machine.swarm.fanout.broadcast; a result or error for each."""
        return await broadcast(engines, act, self.cluster.log)

    async def values(self, engines: Sequence[Engine], request: Request) -> dict[Engine, Any]:
        """The same call to every engine: the JSON of those that answered well. Raises ApiError if none did."""
        if not engines:
            raise ApiError(503, NO_HEALTHY_NODE)

        async def ask(engine: Engine) -> Any:
            return await (await engine.ask(request)).json_body()

        return successful(await self.broadcast(engines, ask))


def drop_headers(headers: Headers, *names: bytes) -> list[tuple[bytes, bytes]]:
    """The headers without those in `names` (lower case)."""
    return [(name, value) for name, value in headers if name not in names]
