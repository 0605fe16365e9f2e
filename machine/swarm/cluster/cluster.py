"""The engines of one swarm and all that is on them: kept in memory, fed by discovery and by the engines' events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from machine.swarm import events
from machine.swarm.cluster.engine import Container, Engine
from machine.swarm.cluster.facts import EngineFacts, api_of
from machine.swarm.cluster.health import Health
from machine.swarm.cluster.index import Index
from machine.swarm.cluster.ledger import Ledger
from machine.swarm.cluster.settings import Settings
from machine.swarm.cluster.signing import Keyring
from machine.swarm.cluster.subscribers import Subscribers
from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.merge.events import mark_event
from machine.swarm.pipeline import ApiError, CallNext, Unreachable
from machine.swarm.resolve import Ambiguous
from machine.swarm.scheduler.filters import NO_HEALTHY_NODE

MAX_CONCURRENT_DIALS = 256  # engines that are asked for a first word at the same time; one that is dead takes its time
MAX_CONCURRENT_LISTS = 32  # engines that are being listed at the same time
MAX_LOGGED_URL = 80  # letters of a discovery in the log: a list of engines may be long
LOG_TEXTS = {
    "engine_connect": "connected",
    "engine_reconnect": "connected again",
    "engine_disconnect": "does not answer any more",
    "engine_removed": "removed from the cluster",
}  # in the log; the clients' event streams have classic Swarm's words
DUPLICATE = "container_duplicate"  # the watchers' word for: a container came that is on another engine already
EMPTY_LIST_SECONDS = 30.0  # how long an empty list has to last before all engines are removed
BACKGROUND_PAUSE = 0.008  # seconds between two inspects that nobody waits for: a twentieth of a processor at most


class Cluster:
    """`connect` makes the way to an engine from its address. `run` keeps the cluster alive."""

    def __init__(
        self,
        discovery: Discovery,
        connect: Callable[[str], CallNext],
        settings: Settings | None = None,
        *,
        log: Callable[[str], None] = lambda _: None,
        keyring: Keyring | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        """`keyring` and `ledger` say which containers may be made again elsewhere; new ones end with this process."""
        self.discovery = discovery
        self.connect = connect
        self.settings = settings or Settings()
        self.log = log
        self.keyring = keyring or Keyring()
        self.ledger = ledger or Ledger()
        self.index: Index[Container] = Index()
        self.engines: dict[str, Engine] = {}
        self.dial_limit = asyncio.Semaphore(MAX_CONCURRENT_DIALS)
        self.list_limit = asyncio.Semaphore(MAX_CONCURRENT_LISTS)
        self.watchers: list[Callable[[Engine, str], None]] = []  # told of engine_connect, engine_disconnect, ...
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.subscribers = Subscribers()
        self._last_logged = ""
        self._count = -1  # engines when their number was last said
        self._admitted: dict[tuple[str, str], set[Engine]] = {}  # id and name -> engines that have them

    async def run(self) -> None:
        """Follow the discovery until cancelled; then remove every engine."""
        inspecting = asyncio.ensure_future(self._background_inspect())
        emptied: asyncio.Future[None] | None = None
        try:
            async for addresses in self.discovery.watch(self.settings.heartbeat):
                if isinstance(addresses, DiscoveryError):
                    self._log_once(f"discovery: {addresses}")
                    continue
                self._last_logged = ""
                if emptied is not None:
                    emptied.cancel()
                    await asyncio.gather(emptied, return_exceptions=True)
                    emptied = None
                if not addresses and self.engines and not self.discovery.reads_are_atomic:
                    emptied = asyncio.ensure_future(self._remove_all())
                    continue
                await self.replace(addresses)
                self._log_count()
        finally:
            inspecting.cancel()
            if emptied is not None:
                emptied.cancel()
            await self.replace([])

    async def _remove_all(self) -> None:
        """Believe a discovery that lists no engine any more once that has stood for a while: files are rewritten."""
        self.log(
            "discovery: it lists no engine any more; "
            f"they are kept for {EMPTY_LIST_SECONDS:g} s, should it be a mistake"
        )
        await asyncio.sleep(EMPTY_LIST_SECONDS)
        await self.replace([])
        self._log_count()

    def _log_count(self) -> None:
        before, self._count = self._count, len(self.engines)
        if before != self._count:
            some = "1 engine" if self._count == 1 else f"{self._count} engines"
            at = self.discovery.description
            at = at if len(at) <= MAX_LOGGED_URL else at[:MAX_LOGGED_URL] + "..."
            self.log(f"{at}: {some}{' so far' if before < 0 else ''}")

    def _log_once(self, text: str) -> None:
        if text != self._last_logged:
            self.log(text)
        self._last_logged = text

    async def replace(self, new_addresses: Iterable[str]) -> None:
        """Have exactly these engines: first remove the others, then add the new ones."""
        addresses = dict.fromkeys(new_addresses)
        for address in [a for a in self.engines if a not in addresses]:
            await self._remove(address)
        for address in addresses:
            if address not in self.engines:
                engine = Engine(self, address, self.connect(address))
                self.engines[address] = engine
                self._tasks[address] = asyncio.ensure_future(engine.run())

    async def _remove(self, address: str) -> None:
        engine = self.engines.pop(address)
        answered = engine.reachable
        engine.health.state = Health.GONE
        task = self._tasks.pop(address)
        engine.reschedulable_at_removal = [
            container for container in engine.containers.values() if container.is_reschedulable
        ]
        engine.forget_all()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        engine.forget_all()  # what it took in while it was being stopped
        if engine.facts is not None:
            if answered:  # clients wait for this word; one that had failed before has had it
                self.subscribers.publish(events.own("engine_disconnect", engine.node_info, time.time()))
            self.engine_changed(engine, "engine_removed")

    def healthy(self) -> list[Engine]:
        """The engines that answer, sorted by name."""
        return sorted((e for e in self.engines.values() if e.reachable), key=lambda e: (e.name, e.address))

    def any_healthy(self) -> Engine:
        """Any engine that answers. Raises ApiError(503) if none does."""
        found = self.healthy()
        if not found:
            raise ApiError(503, NO_HEALTHY_NODE)
        return found[0]

    def engine(self, text: str) -> Engine | None:
        """The engine of that address, id or name.

        Raises ApiError(404) for a name that several have: they name themselves.
        """
        if text in self.engines:
            return self.engines[text]
        engines = [e for e in self.engines.values() if text == e.id] or [
            e for e in self.engines.values() if text == e.name
        ]
        if len(engines) > 1:
            addresses = ", ".join(sorted(e.address for e in engines)[:5])
            raise ApiError(404, f"{text} may be any of several nodes of that name: say which by address: {addresses}")
        return engines[0] if engines else None

    def find(self, text: str) -> Container:
        """The container that `text` means. Raises ApiError(404) if it means none, or more than one."""
        try:
            found = self.index.find(text)
        except Ambiguous as error:
            raise ApiError(404, f"No such container: {error}") from error
        if found is None:
            raise ApiError(404, f"No such container: {text}")
        return found

    def id_is_free(self, engine: Engine, key: str) -> bool:
        """Whether what `key` means is on `engine`, or nowhere yet: a client uses the id that it is given."""
        try:
            found = self.index.find(key)
        except Ambiguous:
            return False
        return found is None or found.engine is engine

    def api(self) -> str:
        """The newest API version that every healthy engine speaks."""
        versions = [e.facts.api for e in self.engines.values() if e.reachable and e.facts]
        major, minor = min(versions, default=api_of("1.41"))
        return f"{major}.{minor}"

    def reject_duplicate(self, engine: Engine, facts: EngineFacts) -> None:
        """Refuse an engine that is here already under another address."""
        same_id = self._admitted.setdefault((facts.id, facts.name), set())
        same_id.add(engine)
        for other in list(same_id):
            if self.engines.get(other.address) is not other or other.facts is None or other.facts.id != facts.id:
                if other is not engine:
                    same_id.discard(other)
            elif other is not engine and other.reachable and other.facts.name == facts.name:
                same_id.discard(engine)
                raise Unreachable(
                    502,
                    f"has the id and the name of the engine at {other.address}: the same one, or a clone of its disk "
                    "(then remove /etc/docker/key.json and engine-id under its data root, rename it and restart it)",
                )

    def engine_changed(self, engine: Engine, event_name: str) -> None:
        """Note that an engine came, went or came back; tell everyone."""
        reason = f": {engine.health.error}" if engine.health.error else ""
        self.log(f"{engine.name} ({engine.address}): {LOG_TEXTS.get(event_name, event_name)}{reason}")
        engine.refresh_entries()
        self.subscribers.publish(events.own(event_name, engine.node_info, time.time()))
        for watcher in self.watchers:
            watcher(engine, event_name)

    def on_container(self, container: Container) -> None:
        """Note a new container; watchers are called if another engine has the same one, by its id in the swarm."""
        if container.is_reschedulable and len(self.index.with_swarm_id(container.swarm_id)) > 1:
            for watcher in self.watchers:
                watcher(container.engine, DUPLICATE)

    def forward_event(self, engine: Engine, event: dict[str, Any]) -> None:
        """Pass an engine's event on to whoever listens, if it may tell of that."""
        if self.subscribers and self.is_own_event(engine, event):
            self.subscribers.publish(mark_event(event, engine.node_info))

    def is_own_event(self, engine: Engine, event: dict[str, Any]) -> bool:
        """Whether an event is of the engine's own: neither of the cluster nor of containers on other engines."""
        if event.get("Type") == events.CLUSTER_EVENT:
            return False
        strange = events.subjects(event).difference(engine.containers)
        return not any(self.index.with_id(key) for key in strange)

    async def inspect_all(self, engine: Engine) -> None:
        """Learn the reservations and ports of all containers on an engine, now; what fails stays unknown."""
        async with asyncio.TaskGroup() as group:
            limit = asyncio.Semaphore(8)

            async def inspect(container: Container) -> None:
                async with limit:
                    with suppress(ApiError):
                        await engine.inspect(container)

            for container in list(engine.containers.values()):
                if not container.inspected:
                    group.create_task(inspect(container))

    async def _background_inspect(self) -> None:
        """Learn what nobody asked for yet, one container after the other; first those that may have to move."""
        while True:
            for engine in list(self.engines.values()):
                unknown = [c for c in engine.containers.values() if not c.inspected] if engine.reachable else []
                for container in sorted(unknown, key=lambda c: not c.is_reschedulable):
                    with suppress(ApiError, ValueError, KeyError, TypeError, AttributeError):
                        await engine.inspect(container)
                    await asyncio.sleep(BACKGROUND_PAUSE)
            await asyncio.sleep(1)
