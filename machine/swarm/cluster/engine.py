"""One engine of the cluster: keeps what is remembered of it fresh, from its events and a look now and then.

Reached -> events opened -> everything listed -> events applied; when the events break, from the start again, so that
nothing that happened meanwhile is missed.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

from machine.swarm import limits
from machine.swarm.api.responses import EngineReply, WrongAnswer, one_line, send_checked
from machine.swarm.cluster import engine_connection
from machine.swarm.cluster.answer_sequence import AnswerSequence
from machine.swarm.cluster.container import ContainerRecord
from machine.swarm.cluster.due import EVERYTHING, DueRefreshes
from machine.swarm.cluster.ended_containers import EndedContainers
from machine.swarm.cluster.engine_connection import EngineConnection
from machine.swarm.cluster.engine_context import EngineContext
from machine.swarm.cluster.facts import EngineFacts, facts_of, negotiate_version
from machine.swarm.cluster.health import Health, HealthTracker
from machine.swarm.cluster.images import ImageTable
from machine.swarm.cluster.signature_check import signed_create
from machine.swarm.events import Effect, JsonStream, effect, read_events
from machine.swarm.http import hostport
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, CallNext, Request, Unreachable
from machine.swarm.printable import traceback_of
from machine.swarm.scheduler.node import Node
from machine.swarm.scheduler.placement_request import ID

INFO_SECONDS = 300.0  # seconds between two reads of /info
Container = ContainerRecord["Engine"]
REFRESHED_KINDS = ("image", "network", "volume")
EVENTS_LAST_SECONDS = 3.0  # how long a stream of events has to last to count as stable
EVENTS_PAUSE = 0.01  # seconds between two refreshes because of events
_LISTS: dict[str, tuple[str, dict[str, list[str]] | None]] = {
    "image": ("/images/json", {"all": ["0"]}),
    "network": ("/networks", None),
    "volume": ("/volumes", None),
}


class Engine(EngineConnection):
    """The engine at `address` ("host:port"), asked through `client`. `node` is what the scheduler sees of it."""

    def __init__(self, cluster: EngineContext[Engine], address: str, client: CallNext) -> None:
        super().__init__(address, client, HealthTracker(cluster.settings.retry, cluster.settings.pace))
        self.cluster = cluster
        self.ip = hostport.split(address)[0]
        self.containers: dict[str, Container] = {}
        self.node = Node(name=address, address=address, ip=self.ip, healthy=False, retry=cluster.settings.retry)
        self.node.containers, self.node.owner = self.containers, self
        self.images: list[dict[str, Any]] = []
        self.image_table = ImageTable()
        self.networks: list[dict[str, Any]] = []
        self.volumes: list[dict[str, Any]] = []
        self.updated = time.time()  # when its containers were last listed, or else when it came into the discovery
        self.summary: Any = None  # its part of `info`, computed when needed; None after a change
        self.reschedulable_at_removal: list[Container] = []  # what could move when it left the discovery
        self.pending_refreshes = DueRefreshes()
        self._short_streams_in_a_row = 0  # how often in a row its events ended at once
        self._list_order = AnswerSequence()
        self._ended = EndedContainers()

    @property
    def name(self) -> str:
        """The name of the engine's host; its address while that is not known."""
        return self.node.name

    @property
    def id(self) -> str:
        """Unique in the cluster, even if a disk with its engine's id was cloned."""
        return f"{self.facts.id}|{self.address}" if self.facts else ""

    @property
    def reachable(self) -> bool:
        """Whether the engine answers: its health is HEALTHY."""
        return self.health.state is Health.HEALTHY

    @property
    def node_info(self) -> NodeInfo:
        """What clients see of the engine."""
        cpus, memory = (self.facts.cpus, self.facts.memory) if self.facts else (0, 0)
        return NodeInfo(self.name, self.id, self.address, self.ip, cpus, memory, self.node.labels)

    def note_failure(self, reason: str) -> None:
        """Note a failure of the engine, see `EngineConnection.note_failure`."""
        self.suspect = True
        event_name = self.health.failure(one_line(reason))
        self._update_health(event_name)
        if event_name:
            self.open_calls.end_all()  # whoever waits for an engine that hangs would wait for ever

    def _note_success(self) -> None:
        self.suspect = False
        self._update_health(self.health.success())

    def _update_health(self, event_name: str) -> None:
        self.node.update_health(self.reachable, self.health.failures)
        self.summary = None
        if event_name:
            self.cluster.engine_changed(self, event_name)

    async def run(self) -> None:
        """Keep what is known of the engine up to date, until cancelled."""
        try:
            while True:
                try:
                    async with self.cluster.dial_limit:
                        version = await self.get("/version", versioned=False)
                    async with self.cluster.list_limit:
                        events = await self._reach(version)
                    since = time.monotonic()
                    try:
                        await self._follow(events)
                    finally:
                        self._short_streams_in_a_row = (
                            self._short_streams_in_a_row + 1
                            if time.monotonic() - since < EVENTS_LAST_SECONDS * self.health.pace
                            else 0
                        )
                except ApiError as error:
                    self.note_failure(error.message)
                except (OSError, TimeoutError) as error:
                    self.note_failure(str(error) or "it does not answer in time")
                except Exception as error:  # one engine's nonsense must not end the care for it
                    self.note_failure(f"its answers are not valid: {error!r}")
                    self.cluster.log(traceback_of(error))
                await asyncio.sleep(self.health.pause * random.uniform(0.8, 1.2))  # noqa: S311 (no secret)
        finally:
            close = getattr(self.client, "close", None)
            if close is not None:
                with suppress(Exception):
                    await close()

    async def _reach(self, version: Any) -> EngineReply:
        """Read its facts, open its stream of events, list its containers: no change is missed. Return the stream."""
        await self._refresh_facts(version)
        async with asyncio.timeout(engine_connection.ANSWER):
            call = Request("GET", build(negotiate_version("1.99", self._facts()), "/events"))
            events = await send_checked(self.client, call, self.name)
        try:
            if not events.ok:
                await events.json_body()
            await self.refresh()
            if self.health.failures:  # only an engine that lists everything again counts as healthy again
                await self.refresh_kinds(*REFRESHED_KINDS)
            if not self._short_streams_in_a_row:
                self._note_success()
            self.pending_refreshes.add(*REFRESHED_KINDS)
        except BaseException:
            await events.close()
            raise
        return events

    def _facts(self) -> EngineFacts:
        if self.facts is None:
            raise Unreachable(502, f"{self.address} was not reached yet")
        return self.facts

    async def _refresh_facts(self, version: Any = None) -> None:
        version = version or await self.get("/version", versioned=False)
        info = await self.get("/info", versioned=False)
        try:
            facts = facts_of(version, info).reuse_info(self.facts)
        except ValueError as error:
            raise WrongAnswer(f"{self.address}: {error}") from None
        self.cluster.reject_duplicate(self, facts)
        self.facts = facts
        node, over = self.node, self.cluster.settings.overcommit
        if node.name != facts.name:
            for container in self.containers.values():
                self.cluster.index.drop(container)
            self.containers.clear()
        node.name, node.id, node.labels = facts.name, self.id, facts.labels
        node.cpus = facts.cpus + facts.cpus * over // 100
        node.memory = facts.memory + facts.memory * over // 100
        self._invalidate()

    async def _follow(self, events: EngineReply) -> None:
        """Apply its events and refresh periodically. Raises Unreachable if the events end."""
        if not isinstance(events.body, AsyncIterator):
            raise Unreachable(502, f"{self.address} ends its events at once")
        jobs = [
            asyncio.ensure_future(job)
            for job in (self._listen(events.body), self._catch_up(), self._refresh_periodically())
        ]
        stable = asyncio.get_running_loop().call_later(EVENTS_LAST_SECONDS * self.health.pace, self._on_stable_events)
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            stable.cancel()
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await events.close()
        raise Unreachable(502, f"{self.address} ended its events")

    def _on_stable_events(self) -> None:
        """Note a success if its streams of events ended at once before: this one has lasted."""
        if self._short_streams_in_a_row:
            self._short_streams_in_a_row = 0
            self._note_success()

    async def _listen(self, body: AsyncIterator[bytes]) -> None:
        lines = JsonStream()
        async for data in body:
            for event in self._events_in(lines, data):
                change = effect(event)
                if change is not None and not (change.created and self._is_ours(event)):
                    self._apply(change)
                self.cluster.forward_event(self, event)

    def _events_in(self, lines: JsonStream, data: bytes) -> list[dict[str, Any]]:
        try:
            return read_events(lines, data)
        except ValueError as error:
            raise WrongAnswer(f"{self.name}: its events are not valid: {error}") from None

    def _is_ours(self, event: dict[str, Any]) -> bool:
        """Whether a container is being made through us: then we look at it anyway."""
        attributes = (event.get("Actor") or {}).get("Attributes") or {}
        return attributes.get(ID) in self.node.creating

    def _apply(self, change: Effect) -> None:
        if change.gone:
            self.forget(change.id)
        elif change.kind == "container" and change.created and change.id in self.containers:
            return  # made through us, and looked at already
        else:
            if change.id in self.containers:
                self._ended.note(change)
            self.pending_refreshes.add(change.id if change.kind == "container" else change.kind)

    async def _catch_up(self) -> None:
        """Look again at what events named; what comes meanwhile is done together in the next round."""
        while True:
            due = self.pending_refreshes.take()
            for kind in REFRESHED_KINDS:
                if kind in due:
                    await self._refresh_kind(kind)
            if "daemon" in due:
                await self._refresh_facts()
            ids = due.difference((*REFRESHED_KINDS, "daemon", EVERYTHING))
            if ids:
                await self.refresh(() if EVERYTHING in due else ids)
                self._ended.refresh_later(ids, self.containers, self.pending_refreshes.add)
                for key in ids:
                    if key in self.containers and not self.containers[key].inspected:
                        await self.inspect(self.containers[key])
            if not self.pending_refreshes:
                await self.pending_refreshes.wait()
            else:
                await asyncio.sleep(EVENTS_PAUSE)  # an engine that tells events without end gets no more than its share

    async def _refresh_periodically(self) -> None:
        settings = self.cluster.settings
        facts_read_at = time.monotonic()
        while True:
            pause = random.uniform(settings.refresh_min, settings.refresh_max)  # noqa: S311
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause, self.health.pause * 2) if self.health.failures else pause):
                    await self._probe_requested.wait()
            self._probe_requested.clear()
            try:
                with self.refresh_in_time():
                    await self.refresh()
                if time.monotonic() - facts_read_at > INFO_SECONDS:
                    await self._refresh_facts()
                    facts_read_at = time.monotonic()
            except ApiError as error:
                self.note_failure(error.message)
                if not self.reachable:
                    raise
            else:
                if not self._short_streams_in_a_row:
                    self._note_success()
                self.pending_refreshes.add(*REFRESHED_KINDS)

    async def refresh(self, ids: Iterable[str] = ()) -> None:
        """List its containers again, all or some. Raises ApiError if the engine does not answer, or refuses."""
        ids = list(ids)
        query = {"all": ["1"], "filters": [json.dumps({"id": ids})]} if ids else {"all": ["1"]}
        question = self._list_order.begin()
        entries = await self.get("/containers/json", query) or []
        now = time.time()
        for number, entry in enumerate(reversed(entries), 1):  # oldest first
            if self._list_order.accept(entry["Id"], question):
                self._take_entry(entry, now)
            if number % limits.YIELD_ENTRIES == 0:
                await asyncio.sleep(0)
        listed = {entry["Id"] for entry in entries}
        for key in ids or list(self.containers):
            if key not in listed and not self._list_order.is_old(key, question):
                self.forget(key)
        self.updated = now
        self._invalidate()

    def _take_entry(self, entry: dict[str, Any], now: float) -> None:
        container = self.containers.get(entry["Id"])
        index = self.cluster.index
        if container is None:
            container = ContainerRecord(self)
            container.update(entry, self.name, self.ip, now)
            self.containers[container.id] = container
            self._invalidate()  # now: a refresh of a long list lets creates run in between, and may be cut short
            index.add(container)
            if container.signature_label:
                self._authenticate(container)
                self.cluster.on_container(container)
            return
        names, created, signature_label = container.names, container.created, container.signature_label
        container.update(entry, self.name, self.ip, now)
        if names != container.names or signature_label != container.signature_label:
            self._authenticate(container)
        if names != container.names or created != container.created:
            index.update_names(container, names)

    def _authenticate(self, container: Container) -> None:
        """See whether a manager of this cluster has made just this container on just this engine."""
        if container.signature_label:
            container.signed = signed_create(container, self.cluster.keyring, self.cluster.ledger, self._facts())
        else:
            container.signed = None  # nearly always: nothing to read

    def forget(self, key: str) -> None:
        """Remove a container that is no more."""
        self._list_order.remove(key)
        container = self._remove(key)
        if container is not None and container.swarm_id:
            self.cluster.ledger.record_removal(container.swarm_id, key)

    def forget_all(self) -> None:
        """Remove all containers with their engine, which leaves the cluster; they may go on running there."""
        for key in list(self.containers):
            self._remove(key)

    def _remove(self, key: str) -> Container | None:
        container = self.containers.pop(key, None)
        if container is not None:
            self.cluster.index.drop(container)
            self._invalidate()
        return container

    def _invalidate(self) -> None:
        self.node.invalidate()
        self.summary = None

    async def inspect(self, container: Container) -> None:
        """Inspect a container; one that has gone is forgotten. Raises ApiError if the engine does not answer."""
        try:
            inspected = await self.get(f"/containers/{container.id}/json")
        except ApiError as error:
            if isinstance(error, WrongAnswer):  # of one container: no reason to leave the others alone
                container.inspected = True
                self.cluster.log(error.message)
                return
            if error.status != 404:
                raise
            self.forget(container.id)
            return
        container.apply_inspect(inspected, self._facts().cpus)
        self._invalidate()

    async def _refresh_kind(self, kind: str) -> None:
        """List one kind again. An answer that was asked for before one that is known already says nothing new."""
        question = self._list_order.begin()
        path, query = _LISTS[kind]
        answer = await self.get(path, query)
        if not self._list_order.accept(kind, question):
            return
        if kind == "image":
            self.images = answer or []
            self.image_table = ImageTable(self.images)
            self.node.images = frozenset(self.image_table.names())
        elif kind == "network":
            self.networks = answer or []
        else:
            self.volumes = (answer or {}).get("Volumes") or []

    async def refresh_kinds(self, *kinds: str) -> None:
        """Look at images, networks or volumes again, now. Raises ApiError if the engine does not answer, or refuses."""
        for kind in kinds:
            await self._refresh_kind(kind)

    def refresh_entries(self) -> None:
        """Its containers' entries again, when they are listed next: whether it is reachable has changed."""
        for container in self.containers.values():
            container.status_valid_until = 0.0
        self.cluster.index.settle([name for container in self.containers.values() for name in container.names])
