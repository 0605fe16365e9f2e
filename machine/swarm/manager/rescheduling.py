"""Containers that move: those with `reschedule:on-node-failure` are made again elsewhere when their engine fails.

What classic Swarm got wrong here: of a container that was on two engines it removed the one that came back last, with
its volumes. Here the newer of two is kept, volumes are never removed, and the old record goes only once the new
container is there and, if it is to run, has been started.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from machine.swarm.cluster import Container, Engine
from machine.swarm.cluster.cluster import DUPLICATE
from machine.swarm.cluster.health import Health
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.create import RescheduleState, make
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, Request

RETRY_SECONDS = 60.0  # seconds between two tries at a container that fits nowhere, or cannot be removed
MADE = "created"  # the state of a container that was never started
UNSIGNED = "it was not made through a manager with this cluster's key, or not under this name"


class Rescheduler:
    """Hears of engines that fail and return, and sees to those that did before. `close` ends what it is doing."""

    def __init__(self, context: ManagerContext) -> None:
        self._context = context
        self._moving: set[str] = set()  # swarm ids of containers that are on their way
        self._tasks: set[asyncio.Task[None]] = set()
        context.cluster.watchers.append(self._on_engine_event)
        for engine in list(context.cluster.engines.values()):  # of a replica that becomes the primary
            if engine.reachable:
                self._start(self._on_back(engine))
            elif engine.health.state is Health.UNHEALTHY:
                self._start(self._on_lost(engine))

    def _on_engine_event(self, engine: Engine, event: str) -> None:
        if event == "engine_disconnect":
            self._start(self._on_lost(engine))
        elif event in ("engine_connect", "engine_reconnect", DUPLICATE):
            self._start(self._on_back(engine))
        elif event == "engine_removed" and engine.reschedulable_at_removal:
            self._start(self._on_removed(engine))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._context.cluster.log(f"rescheduling: {task.exception()!r}")

    async def close(self) -> None:
        """Stop: reschedule no more, and cancel what is under way."""
        self._context.cluster.watchers.remove(self._on_engine_event)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_removed(self, engine: Engine) -> None:
        """Make the movable containers of an engine again that left the discovery, unless it still answers."""
        log = self._context.cluster.log
        with suppress(ApiError):
            await engine.get("/version", versioned=False)
            log(f"rescheduling: {engine.name} was taken out of the swarm and runs on: its containers stay there")
            return
        while engine.address not in self._context.cluster.engines:
            await self._move_all(engine, [c for c in engine.reschedulable_at_removal if not self._is_elsewhere(c)])
            if all(self._is_elsewhere(c) for c in engine.reschedulable_at_removal):
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _on_lost(self, engine: Engine) -> None:
        """Make the engine's movable containers again elsewhere; what fits nowhere is tried again while it is away."""
        for container in engine.containers.values():
            if container.labelled_reschedulable and not container.is_reschedulable:
                self._context.cluster.log(f"rescheduling: {container.name} of {engine.name} stays: {UNSIGNED}")
        while not engine.reachable and engine.address in self._context.cluster.engines:
            containers = [
                c for c in list(engine.containers.values()) if c.is_reschedulable and not self._is_elsewhere(c)
            ]
            if not containers:
                return
            await self._move_all(engine, containers)
            await asyncio.sleep(RETRY_SECONDS)

    async def _move_all(self, engine: Engine, containers: list[Container]) -> None:
        log = self._context.cluster.log
        for container in containers:
            if engine.reachable:
                return
            if container.swarm_id in self._moving or self._is_elsewhere(container):
                continue  # the engine failed twice, and the first care for it still goes on
            try:
                for half_made in self._duplicates_elsewhere(container):
                    await self._drop(half_made)
                    self._put_back(container)
                if self._context.cluster.ledger.is_current(container.swarm_id, container.id):
                    await self._move(container)
                else:
                    log(f"rescheduling: {container.name} of {engine.name} stays: it was removed or replaced before")
            except ApiError as error:
                log(f"rescheduling: {container.name} of {engine.name}: {error.message}")

    async def _move(self, container: Container) -> None:
        """Make one container elsewhere, join its networks, start it if it ran; only then the old record goes."""
        context, cluster, engine, signed = self._context, self._context.cluster, container.engine, container.signed
        if signed is None:
            return
        body: dict[str, Any] = json.loads(json.dumps(signed.body))
        call = Request.json("POST", f"/v{cluster.api()}/containers/create", body)
        runs = any(c.is_up for c in (container, *cluster.index.with_swarm_id(container.swarm_id)))
        self._moving.add(container.swarm_id)
        try:
            moved = RescheduleState(signed.generation + 1, runs)
            networks = cluster.ledger.networks(container.swarm_id)
            reply = await make(context, call, body, container.name, avoid=frozenset({engine.address}), reschedule=moved)
            created_id = str((await reply.json_body())["Id"])
            new: Engine = cluster.find(created_id).engine
            try:
                await self._put_to_work(new, created_id, networks, start=runs)
            except ApiError:
                await self._unmake(new, created_id)
                self._put_back(container)
                raise
            cluster.log(f"rescheduling: {container.name} moved from {engine.name} to {new.name}")
            if not engine.reachable:
                engine.forget(container.id)
        finally:
            self._moving.discard(container.swarm_id)
        if engine.reachable:  # it came back meanwhile, and still has the old one
            self._start(self._on_back(engine))

    async def _put_to_work(self, engine: Engine, key: str, networks: dict[str, Any], *, start: bool) -> None:
        api = self._context.cluster.api()
        for network, settings in networks.items():
            with suppress(ApiError):
                value = {"Container": key, "EndpointConfig": settings}
                target = build(api, f"/networks/{network}/connect")
                await (await engine.ask(Request.json("POST", target, value))).json_body()
        if start:
            await (await engine.ask(Request("POST", build(api, f"/containers/{key}/start")))).json_body()
            await engine.refresh([key])

    async def _unmake(self, engine: Engine, key: str) -> None:
        """A container that was made and does not start: the old one stays what there is."""
        with suppress(ApiError):
            target = build(self._context.cluster.api(), f"/containers/{key}", "force=1")
            await (await engine.ask(Request("DELETE", target))).json_body()
            engine.forget(key)

    def _put_back(self, container: Container) -> None:
        if container.signed is not None:
            self._context.cluster.ledger.record_restored(container.swarm_id, container.signed.generation, container.id)

    def _copies_elsewhere(self, container: Container) -> list[Container]:
        """The copies of a container on other engines that answer now.

        Only those that a manager signed: an image that was committed from one brings its labels along, and an engine
        can make labels up.
        """
        others = self._context.cluster.index.with_swarm_id(container.swarm_id)
        return [c for c in others if c.is_reschedulable and c.engine is not container.engine and c.engine.reachable]

    def _duplicates_elsewhere(self, container: Container) -> list[Container]:
        """Those of them that were made again. One with the same id was not: its engine's disk was cloned."""
        return [c for c in self._copies_elsewhere(container) if c.id != container.id]

    def _is_elsewhere(self, container: Container) -> bool:
        """Whether it is on another engine; one that was made there and could not be started does not count."""
        return any(not _half_made(c) for c in self._copies_elsewhere(container))

    async def _on_back(self, engine: Engine) -> None:
        """Of a container that is on this engine and, moved meanwhile, on another, keep the newer one.

        One that is on its way is left to whoever moves it: it may yet fail. What cannot be removed is tried again.
        """
        while engine.reachable:
            failures = 0
            for container in [c for c in list(engine.containers.values()) if c.is_reschedulable]:
                for other in self._duplicates_elsewhere(container):
                    if container.swarm_id not in self._moving:
                        old, kept = sorted((container, other), key=_rank)
                        failures += not await self._drop(old)
                        self._put_back(kept)
            if not failures:
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _drop(self, old: Container) -> bool:
        cluster, engine = self._context.cluster, old.engine
        try:
            reply = await engine.ask(Request("DELETE", build(cluster.api(), f"/containers/{old.id}", "force=1")))
            await reply.read()
            if not reply.ok and reply.status != 404:
                await reply.json_body()
        except ApiError as error:
            cluster.log(f"rescheduling: the older {old.name} on {engine.name} could not be removed: {error.message}")
            return False
        engine.forget(old.id)
        cluster.log(f"rescheduling: {old.name} on {engine.name} was made again elsewhere meanwhile: removed here")
        return True


def _half_made(container: Container) -> bool:
    """Whether it was made again in order to run, and never did: it does not stand for the one that was lost."""
    return container.state == MADE and container.signed is not None and container.signed.runs


def _rank(container: Container) -> tuple[bool, int, float, str]:
    """Return the key that sorts duplicates, the one to keep last: by what managers signed, not by what engines say.

    Whether one that was incomplete counts is up to its own engine's word only.
    """
    signed = container.signed
    if signed is None:
        return False, -1, 0.0, ""
    return not _half_made(container), signed.generation, signed.created_at, container.signature_label
