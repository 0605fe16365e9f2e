"""Containers that move: those with `reschedule:on-node-failure` are made again elsewhere when their engine fails.

What classic Swarm got wrong here: it killed doubles with their volumes, whichever came back last. Here the newer of
two is kept, volumes are never removed, and the old record goes only once the new container is there and, if it is to
run, has been started.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from machine.swarm.chain import Refused, Request
from machine.swarm.cluster import DOUBLE, Engine
from machine.swarm.cluster.container import Container
from machine.swarm.cluster.health import Health
from machine.swarm.routes.create import make
from machine.swarm.routes.desk import Desk

PATIENCE = 60.0  # seconds between two tries at a container that fits nowhere, or cannot be removed
MADE = "created"  # the state of a container that was never started
_MADE_BY_ENGINE = ("Gateway", "IPAddress", "MacAddress", "NetworkID", "EndpointID", "IPPrefixLen")


class Watchdog:
    """Hears of engines that fail and return, and sees to those that did before. `close` ends what it is doing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._moving: set[str] = set()  # swarm ids of containers that are on their way
        self._tasks: set[asyncio.Task[None]] = set()
        desk.cluster.watchers.append(self._happened)
        for engine in list(desk.cluster.engines.values()):  # of a replica that becomes the primary
            if engine.reachable:
                self._start(self._return(engine))
            elif engine.pulse.state is Health.UNHEALTHY:
                self._start(self._leave(engine))

    def _happened(self, engine: Engine, what: str) -> None:
        if what == "engine_disconnect":
            self._start(self._leave(engine))
        elif what in ("engine_connect", "engine_reconnect", DOUBLE):
            self._start(self._return(engine))
        elif what == "engine_removed" and engine.left:
            self._start(self._bury(engine))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._desk.cluster.log(f"rescheduling: {task.exception()!r}")

    async def close(self) -> None:
        """Stop."""
        self._desk.cluster.watchers.remove(self._happened)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _bury(self, engine: Engine) -> None:
        """The discovery let go of an engine, perhaps because it died: then its movable containers are made again."""
        log = self._desk.cluster.log
        with suppress(Refused):
            await engine.get("/version", versioned=False)
            log(f"rescheduling: {engine.name} was taken out of the swarm and runs on: its containers stay there")
            return
        while engine.address not in self._desk.cluster.engines:
            await self._move_all(engine, [c for c in engine.left if not self._is_elsewhere(c)])
            if all(self._is_elsewhere(c) for c in engine.left if c.recipe is not None):
                return
            await asyncio.sleep(PATIENCE)

    async def _leave(self, engine: Engine) -> None:
        """Make the engine's movable containers again elsewhere; what fits nowhere is tried again while it is away."""
        while not engine.reachable and engine.address in self._desk.cluster.engines:
            left = [c for c in list(engine.containers.values()) if c.moves and not self._is_elsewhere(c)]
            if not left:
                return
            await self._move_all(engine, left)
            await asyncio.sleep(PATIENCE)

    async def _move_all(self, engine: Engine, left: list[Container]) -> None:
        log = self._desk.cluster.log
        for container in left:
            if engine.reachable:
                return
            if container.swarm_id in self._moving or self._is_elsewhere(container):
                continue  # the engine failed twice, and the first care for it still goes on
            if container.recipe is None or not container.name:
                log(f"rescheduling: {container.id[:12]} of {engine.name} was never inspected: it stays")
                continue
            try:
                for half_made in self._doubles(container):
                    await self._drop(half_made)
                await self._move(container)
            except Refused as error:
                log(f"rescheduling: {container.name} of {engine.name}: {error.message}")

    async def _move(self, container: Container) -> None:
        """Make one container elsewhere, join its networks, start it if it ran; only then the old record goes."""
        desk, cluster, engine = self._desk, self._desk.cluster, container.engine
        recipe = json.loads(container.recipe or b"{}")
        body, others = again(recipe)
        if container.cpus:
            body["HostConfig"]["CpuShares"] = container.cpus  # whole CPUs again; the new engine's share is worked out
        call = Request.json("POST", f"/v{cluster.api()}/containers/create", body)
        runs = any(c.is_up for c in (container, *cluster.index.doubles(container.swarm_id)))
        self._moving.add(container.swarm_id)
        try:
            reply = await make(desk, call, body, container.name, avoid=frozenset({engine.address}))
            made = str((await reply.value())["Id"])
            new: Engine = cluster.find(made).engine
            try:
                await self._put_to_work(new, made, others, start=runs)
            except Refused:
                await self._unmake(new, made)
                raise
            cluster.log(f"rescheduling: {container.name} moved from {engine.name} to {new.name}")
            if not engine.reachable:
                engine.forget(container.id)
        finally:
            self._moving.discard(container.swarm_id)
        if engine.reachable:  # it came back meanwhile, and still has the old one
            self._start(self._return(engine))

    async def _put_to_work(self, engine: Engine, key: str, networks: dict[str, Any], *, start: bool) -> None:
        api = f"/v{self._desk.cluster.api()}"
        for network, settings in networks.items():
            with suppress(Refused):
                value = {"Container": key, "EndpointConfig": settings}
                await (await engine.ask(Request.json("POST", f"{api}/networks/{network}/connect", value))).value()
        if start:
            await (await engine.ask(Request("POST", f"{api}/containers/{key}/start"))).value()
            await engine.look([key])

    async def _unmake(self, engine: Engine, key: str) -> None:
        """A container that was made and does not start: the old one stays what there is."""
        with suppress(Refused):
            await (
                await engine.ask(Request("DELETE", f"/v{self._desk.cluster.api()}/containers/{key}?force=1"))
            ).value()
            engine.forget(key)

    def _others(self, container: Container) -> list[Container]:
        """The same container on engines that answer now.

        One with another name is another: its image was committed from this one and brought the labels along.
        """
        others = self._desk.cluster.index.doubles(container.swarm_id)
        return [
            c for c in others if c.engine is not container.engine and c.engine.reachable and c.name == container.name
        ]

    def _doubles(self, container: Container) -> list[Container]:
        """Those of them that were made again. One with the same id was not: its engine's disk was cloned."""
        return [c for c in self._others(container) if c.id != container.id]

    def _is_elsewhere(self, container: Container) -> bool:
        """Whether it is on another engine; one that was made there and could not be started does not count."""
        return any(c.state != MADE or container.state == MADE for c in self._others(container))

    async def _return(self, engine: Engine) -> None:
        """Of a container that is on this engine and, moved meanwhile, on another, keep the newer one.

        One that is on its way is left to whoever moves it: it may yet fail. What cannot be removed is tried again.
        """
        while engine.reachable:
            failures = 0
            for container in [c for c in list(engine.containers.values()) if c.moves]:
                for other in self._doubles(container):
                    if container.swarm_id not in self._moving:
                        failures += not await self._drop(min(container, other, key=_age))
            if not failures:
                return
            await asyncio.sleep(PATIENCE)

    async def _drop(self, old: Container) -> bool:
        cluster, engine = self._desk.cluster, old.engine
        try:
            reply = await engine.ask(Request("DELETE", f"/v{cluster.api()}/containers/{old.id}?force=1"))
            await reply.read()
            if not reply.ok and reply.status != 404:
                await reply.value()
        except Refused as error:
            cluster.log(f"rescheduling: the older {old.name} on {engine.name} could not be removed: {error.message}")
            return False
        engine.forget(old.id)
        cluster.log(f"rescheduling: {old.name} on {engine.name} was made again elsewhere meanwhile: removed here")
        return True


def _age(container: Container) -> tuple[bool, int, bool, str, str]:
    """Sorts doubles so that the one to keep comes last, in whatever order two engines return."""
    made = container.state != MADE
    return made, container.created, container.is_up, container.engine.address, container.id


def again(inspect: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body that makes a container anew, from its inspect, and the networks to join afterwards. Pure.

    The first network is joined on creation (older engines take only one); addresses an engine gave are not asked again.
    """
    body = dict(inspect.get("Config") or {})
    if body.get("Hostname") == str(inspect.get("Id", ""))[:12]:
        body.pop("Hostname")
    body["HostConfig"] = dict(inspect.get("HostConfig") or {})
    networks = {
        name: {k: v for k, v in (settings or {}).items() if k not in _MADE_BY_ENGINE and not k.startswith("GlobalIPv6")}
        for name, settings in ((inspect.get("NetworkSettings") or {}).get("Networks") or {}).items()
    }
    for settings in networks.values():
        settings.pop("IPv6Gateway", None)
        settings["Aliases"] = [a for a in settings.get("Aliases") or () if a != str(inspect.get("Id", ""))[:12]] or None
        settings.pop("DNSNames", None)
    mode = str(body["HostConfig"].get("NetworkMode") or "default")
    user = {name: s for name, s in networks.items() if name not in ("bridge", "host", "none", "default")}
    first = {mode: user[mode]} if mode in user else {}
    if first:
        body["NetworkingConfig"] = {"EndpointsConfig": first}
    return body, {name: s for name, s in user.items() if name not in first}
