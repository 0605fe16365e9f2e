"""Containers that move: those with `reschedule:on-node-failure` are made again elsewhere when their engine fails.

What classic Swarm got wrong here: it killed doubles with their volumes, whichever came back last. Here the newer of
two is kept, volumes are never removed, and a container is started elsewhere only once it has been made there.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from machine.swarm.chain import Refused, Request
from machine.swarm.cluster import Engine
from machine.swarm.cluster.container import Container
from machine.swarm.routes.create import make
from machine.swarm.routes.desk import Desk

PATIENCE = 60.0  # seconds between two tries at a container that fits nowhere
_MADE_BY_ENGINE = ("Gateway", "IPAddress", "MacAddress", "NetworkID", "EndpointID", "IPPrefixLen")


class Watchdog:
    """Hears of engines that fail and return. `close` ends what it is doing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks: set[asyncio.Task[None]] = set()
        desk.cluster.watchers.append(self._happened)

    def _happened(self, engine: Engine, what: str) -> None:
        if what == "engine_disconnect":
            self._start(self._leave(engine))
        elif what in ("engine_connect", "engine_reconnect"):
            self._start(self._return(engine))

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

    async def _leave(self, engine: Engine) -> None:
        """Make the engine's movable containers again elsewhere; what fits nowhere is tried again while it is away."""
        log = self._desk.cluster.log
        while not engine.reachable and engine.address in self._desk.cluster.engines:
            left = [c for c in list(engine.containers.values()) if c.moves and not self._elsewhere(c)]
            if not left:
                return
            for container in left:
                if container.recipe is None or not container.name:
                    log(f"rescheduling: {container.id[:12]} of {engine.name} was never inspected: it stays")
                    continue
                try:
                    await self._move(container)
                except Refused as error:
                    log(f"rescheduling: {container.name} of {engine.name}: {error.message}")
            await asyncio.sleep(PATIENCE)

    async def _move(self, container: Container) -> None:
        """Make one container elsewhere, join its networks, start it if it ran; then the old record goes."""
        desk, cluster, engine = self._desk, self._desk.cluster, container.engine
        recipe = json.loads(container.recipe or b"{}")
        body, others = again(recipe)
        if container.cpus:
            body["HostConfig"]["CpuShares"] = container.cpus  # whole CPUs again; the new engine's share is worked out
        call = Request.json("POST", f"/v{cluster.api()}/containers/create", body)
        reply = await make(desk, call, body, container.name, avoid=frozenset({engine.address}))
        made = str((await reply.value())["Id"])
        engine.forget(container.id)
        new = cluster.find(made)
        for network, settings in others.items():
            with suppress(Refused):
                target = f"/v{cluster.api()}/networks/{network}/connect"
                value = {"Container": made, "EndpointConfig": settings}
                await (await new.engine.ask(Request.json("POST", target, value))).value()
        if container.is_up:
            await (await new.engine.ask(Request("POST", f"/v{cluster.api()}/containers/{made}/start"))).value()
            await new.engine.look([made])
        cluster.log(f"rescheduling: {container.name} moved from {engine.name} to {new.engine.name}")

    def _elsewhere(self, container: Container) -> list[Container]:
        doubles = self._desk.cluster.index.doubles(container.swarm_id)
        return [c for c in doubles if c.engine is not container.engine and c.engine.reachable]

    async def _return(self, engine: Engine) -> None:
        """Of a container that is on this engine and, moved meanwhile, on another, keep the newer one."""
        for container in [c for c in list(engine.containers.values()) if c.moves]:
            for other in self._elsewhere(container):
                await self._drop(min(container, other, key=lambda c: c.created))

    async def _drop(self, old: Container) -> None:
        cluster = self._desk.cluster
        target = f"/v{cluster.api()}/containers/{old.id}"
        cluster.log(f"rescheduling: {old.name} on {old.engine.name} was made again elsewhere meanwhile: removed here")
        with suppress(Refused):
            await (await old.engine.ask(Request("DELETE", f"{target}?force=1"))).value()
            old.engine.forget(old.id)


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
