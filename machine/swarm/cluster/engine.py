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
from typing import TYPE_CHECKING, Any

from machine.swarm.chain import Next, Refused, Reply, Request, Unreachable
from machine.swarm.cluster.container import Container
from machine.swarm.cluster.ended import EndedContainers
from machine.swarm.cluster.events import Effect, Lines, effect
from machine.swarm.cluster.facts import Facts, facts_of, spoken
from machine.swarm.cluster.health import Health, Pulse
from machine.swarm.cluster.images import ImageTable
from machine.swarm.cluster.pending import PendingCalls
from machine.swarm.schedule.node import Node
from machine.swarm.schedule.want import ID
from machine.swarm.target import build

if TYPE_CHECKING:
    from machine.swarm.cluster import Cluster

ANSWER = 30.0  # seconds for an answer that is not a stream
SLOW = 5.0  # seconds without an answer after which we look whether the engine still answers anything
SPECS = 300.0  # seconds between two looks at /info
KINDS = ("image", "network", "volume")
_LISTS: dict[str, tuple[str, dict[str, list[str]] | None]] = {
    "image": ("/images/json", {"all": ["0"]}),
    "network": ("/networks", None),
    "volume": ("/volumes", None),
}


class Engine:
    """The engine at `address` ("host:port"), asked through `client`. `node` is what the scheduler sees of it."""

    def __init__(self, cluster: Cluster, address: str, client: Next) -> None:
        self.cluster = cluster
        self.address = address
        self.ip = address.rpartition(":")[0].strip("[]")
        self.client = client
        self.pulse = Pulse(cluster.settings.retry, cluster.settings.pace)
        self.containers: dict[str, Container] = {}
        self.node = Node(name=address, addr=address, ip=self.ip, healthy=False, retry=cluster.settings.retry)
        self.node.containers, self.node.owner = self.containers, self
        self.facts: Facts | None = None
        self.images: list[dict[str, Any]] = []
        self.image_table = ImageTable()
        self.networks: list[dict[str, Any]] = []
        self.volumes: list[dict[str, Any]] = []
        self.updated = 0.0  # seconds since 1970, of the last look
        self.summary: Any = None  # its part of `info`, worked out when asked for; None after a change
        self.left: list[Container] = []  # what could move, when the discovery let go of it
        self._due: set[str] = set()  # kinds, and ids of containers, to look at again
        self._looks = 0  # lists asked for so far
        self._looked: dict[str, int] = {}  # kind -> which of them was the last to be taken in
        self._ended = EndedContainers()
        self._wake = asyncio.Event()
        self._doubted = asyncio.Event()
        self.pending = PendingCalls()  # clients' calls that wait for the head of their answer

    @property
    def name(self) -> str:
        """Its host's name; its address while that is not known."""
        return self.node.name

    @property
    def id(self) -> str:
        """Unique in the cluster, even if a disk with its engine's id was cloned."""
        return f"{self.facts.id}|{self.address}" if self.facts else ""

    @property
    def reachable(self) -> bool:
        """Whether it is healthy."""
        return self.pulse.state is Health.HEALTHY

    def shown(self) -> dict[str, str]:
        """Its part of an event."""
        return {"name": self.name, "id": self.id, "addr": self.address, "ip": self.ip}

    async def ask(self, request: Request) -> Reply:
        """Pass a client's call on, in an API version that this engine speaks. Unreachable counts as a failure."""
        if self.facts is not None and request.version:
            parts = request.parts
            version = spoken(parts.version, self.facts)
            if version != parts.version:
                request = request.replace(target=build(version, parts.path, parts.raw_query))
        doubt = asyncio.get_running_loop().call_later(SLOW, self._doubted.set)
        try:
            async with self.pending.waiting():
                return await self.client(request)
        except TimeoutError:
            raise Unreachable(504, f"{self.name} has stopped answering: {self.pulse.error}") from None
        except Unreachable as error:
            self.failed(error.message)
            raise
        finally:
            doubt.cancel()

    async def get(self, path: str, query: dict[str, list[str]] | None = None, *, versioned: bool = True) -> Any:
        """The JSON that a path answers, within ANSWER seconds, less after a failure; Refused."""
        target = build(spoken("1.99", self.facts) if self.facts and versioned else "", path, query or "")
        seconds = ANSWER / 3 if self.pulse.failures else ANSWER
        try:
            async with asyncio.timeout(seconds):
                return await (await self.client(Request("GET", target))).value()
        except TimeoutError:
            raise Unreachable(504, f"{self.address} did not answer {path} within {seconds:g} s") from None

    def failed(self, why: str) -> None:
        """Note that it did not answer."""
        happened = self.pulse.failure(why)
        self._changed(happened)
        if happened:
            self.pending.end_all()  # whoever waits for an engine that hangs would wait for ever

    def _changed(self, happened: str) -> None:
        self.node.beat(self.reachable, self.pulse.failures)
        self.summary = None
        if happened:
            self.cluster.engine_changed(self, happened)

    async def run(self) -> None:
        """Keep it fresh until cancelled."""
        try:
            while True:
                try:
                    async with self.cluster.doors:
                        version = await self.get("/version", versioned=False)
                    async with self.cluster.gate:
                        events = await self._reach(version)
                    await self._follow(events)
                except Refused as error:
                    self.failed(error.message)
                except (OSError, TimeoutError) as error:
                    self.failed(str(error) or "it does not answer in time")
                except Exception as error:  # one engine's nonsense must not end the care for it
                    self.failed(f"its answers make no sense: {error!r}")
                await asyncio.sleep(self.pulse.pause * random.uniform(0.8, 1.2))  # noqa: S311 (no secret)
        finally:
            close = getattr(self.client, "close", None)
            if close is not None:
                with suppress(Exception):
                    await close()

    async def _reach(self, version: Any) -> Reply:
        """Learn what it is and all that is on it. The answer is its stream of events, opened before the looking."""
        await self._specs(version)
        async with asyncio.timeout(ANSWER):
            events = await self.client(Request("GET", build(spoken("1.99", self._facts()), "/events")))
        try:
            if not events.ok:
                await events.value()
            await self.look()
            self._changed(self.pulse.success())
            self._due.update(KINDS)
        except BaseException:
            await events.close()
            raise
        return events

    def _facts(self) -> Facts:
        if self.facts is None:
            raise Unreachable(502, f"{self.address} was not reached yet")
        return self.facts

    async def _specs(self, version: Any = None) -> None:
        version = version or await self.get("/version", versioned=False)
        facts = facts_of(version, await self.get("/info", versioned=False))
        self.cluster.admit(self, facts)
        self.facts = facts
        node, over = self.node, self.cluster.settings.overcommit
        if node.name != facts.name:
            for container in self.containers.values():
                self.cluster.index.drop(container)
            self.containers.clear()
        node.name, node.id, node.labels = facts.name, self.id, facts.labels
        node.cpus = facts.cpus + facts.cpus * over // 100
        node.memory = facts.memory + facts.memory * over // 100
        self.summary = None

    async def _follow(self, events: Reply) -> None:
        """Apply events, look now and then, until one of the two fails."""
        if not isinstance(events.body, AsyncIterator):
            raise Unreachable(502, f"{self.address} ends its events at once")
        jobs = [
            asyncio.ensure_future(job)
            for job in (self._listen(events.body), self._catch_up(), self._look_now_and_then())
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await events.close()
        raise Unreachable(502, f"{self.address} ended its events")

    async def _listen(self, body: AsyncIterator[bytes]) -> None:
        lines = Lines()
        async for data in body:
            for event in lines.feed(data):
                found = effect(event)
                if found is not None and not (found.created and self._is_ours(event)):
                    self._apply(found)
                self.cluster.publish(self, event)

    def _is_ours(self, event: dict[str, Any]) -> bool:
        """Whether a container is being made through us: then we look at it anyway."""
        return event["Actor"]["Attributes"].get(ID) in self.node.pending if event.get("Actor") else False

    def _apply(self, found: Effect) -> None:
        if found.gone:
            self.forget(found.id)
        elif found.kind == "container" and found.created and found.id in self.containers:
            return  # made through us, and looked at already
        else:
            self._ended.note(found)
            self._look_again(found.id if found.kind == "container" else found.kind)

    def _look_again(self, due: str) -> None:
        self._due.add(due)
        self._wake.set()

    async def _catch_up(self) -> None:
        """Look again at what events named; what comes meanwhile is done together in the next round."""
        while True:
            due, self._due = self._due, set()
            for kind in KINDS:
                if kind in due:
                    await self._look_at(kind)
            if "daemon" in due:
                await self._specs()
            ids = due.difference((*KINDS, "daemon"))
            if ids:
                await self.look(ids)
                self._ended.look_again_at(ids, self.containers, self._look_again)
                for key in ids:
                    if key in self.containers and not self.containers[key].known:
                        await self.learn(self.containers[key])
            if not self._due:
                self._wake.clear()
                await self._wake.wait()

    async def _look_now_and_then(self) -> None:
        settings = self.cluster.settings
        specs = time.monotonic()
        while True:
            pause = random.uniform(settings.refresh_min, settings.refresh_max)  # noqa: S311
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause, self.pulse.pause * 2) if self.pulse.failures else pause):
                    await self._doubted.wait()
            self._doubted.clear()
            try:
                await self.look()
                if time.monotonic() - specs > SPECS:
                    await self._specs()
                    specs = time.monotonic()
            except Refused as error:
                self.failed(error.message)
                if not self.reachable:
                    raise
            else:
                self._changed(self.pulse.success())
                self._due.update(KINDS)
                self._wake.set()

    async def look(self, ids: Iterable[str] = ()) -> None:
        """List its containers again, all or some; Refused."""
        ids = list(ids)
        query = {"all": ["1"]}
        if ids:
            query["filters"] = [json.dumps({"id": ids})]
        entries = await self.get("/containers/json", query)
        if not isinstance(entries, list):
            raise Unreachable(502, f"{self.address} lists containers that are no list")
        now = time.time()
        for entry in reversed(entries):  # oldest first
            self._take(entry, now)
        listed = {entry["Id"] for entry in entries}
        for key in ids or list(self.containers):
            if key not in listed:
                self.forget(key)
        self.updated = now
        self._touch()

    def _take(self, entry: dict[str, Any], now: float) -> None:
        container = self.containers.get(entry["Id"])
        index = self.cluster.index
        if container is None:
            container = Container(self)
            container.take(entry, self.name, self.ip, now)
            self.containers[container.id] = container
            index.add(container)
            self._authenticate(container)
            self.cluster.seen(container)
            return
        names, created, seal = container.names, container.created, container.seal
        container.take(entry, self.name, self.ip, now)
        if names != container.names or seal != container.seal:
            self._authenticate(container)
        if names != container.names or created != container.created:
            index.renamed(container, names)

    def _authenticate(self, container: Container) -> None:
        """See whether a manager of this cluster has made just this container on just this engine."""
        cluster, facts = self.cluster, self._facts()
        signed = cluster.keyring.read(container.seal) if container.seal else None
        if signed is not None and (
            not signed.is_for(facts.id, facts.name, container.swarm_id)
            or cluster.ledger.name(container.swarm_id, signed.name) != container.name
        ):
            signed = None
        container.signed = signed
        if signed is not None:
            cluster.ledger.saw(container.swarm_id, signed.generation, container.id)

    def forget(self, key: str) -> None:
        """A container is no more."""
        container = self._let_go(key)
        if container is not None and container.swarm_id:
            self.cluster.ledger.removed(container.swarm_id, key)

    def forget_all(self) -> None:
        """The engine is let go, and its containers with it, wherever they may go on running."""
        for key in list(self.containers):
            self._let_go(key)

    def _let_go(self, key: str) -> Container | None:
        container = self.containers.pop(key, None)
        if container is not None:
            self.cluster.index.drop(container)
            self._touch()
        return container

    def _touch(self) -> None:
        self.node.touch()
        self.summary = None

    async def learn(self, container: Container) -> None:
        """Inspect a container for its reservation and ports; one that has gone is forgotten. Refused."""
        try:
            found = await self.get(f"/containers/{container.id}/json")
        except Refused as error:
            if error.status != 404:
                raise
            self.forget(container.id)
            return
        container.learn(found, self._facts().cpus)
        self._touch()

    async def _look_at(self, kind: str) -> None:
        """List one kind again. An answer that was asked for before one that is known already says nothing new."""
        self._looks += 1
        asked = self._looks
        path, query = _LISTS[kind]
        answer = await self.get(path, query)
        if asked < self._looked.get(kind, 0):
            return
        self._looked[kind] = asked
        if kind == "image":
            self.images = answer or []
            self.image_table = ImageTable(self.images)
            self.node.images = frozenset(self.image_table.names())
        elif kind == "network":
            self.networks = answer or []
        else:
            self.volumes = (answer or {}).get("Volumes") or []

    async def look_at(self, *kinds: str) -> None:
        """Look at images, networks or volumes again, now. Refused."""
        for kind in kinds:
            await self._look_at(kind)

    def redraw(self) -> None:
        """Its containers' entries again: whether it is reachable has changed."""
        now = time.time()
        for container in self.containers.values():
            container.draw(now)
            self.cluster.index.settle(container.names)
