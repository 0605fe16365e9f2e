"""Empty volumes and unused networks follow a container to the engine where the rest of what it needs is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.locate import volume_size
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import Refused, Request
from machine.swarm.resolve import EngineObjects, pick_network
from machine.swarm.scheduler.placement_request import Located


async def movable(context: ManagerContext, located: Sequence[Located]) -> list[Located]:
    """Those that can be made again on another engine without anybody losing anything.

    A volume: of the driver local, without options, mounted by no container, and empty as its engine says. A network:
    made through this manager, which knows how, and joined by no container.
    """
    found = []
    for each in located:
        engine = _only_holder(context, each)
        if engine is None:
            continue
        test = _is_empty if each.kind == "volume" else _is_unused
        if await test(context, engine, each.name):
            found.append(each)
    return found


async def move(context: ManagerContext, located: Located, target: Engine) -> dict[str, str]:
    """Make it on the engine `target` and remove it where it was; a network's old id and its new one. Refused.

    It is looked at once more, for several may want it on different engines; what somebody began to use just now is
    not removed, for the engine refuses that: then both stay.
    """
    source = _only_holder(context, located)
    if source is None or source is target:
        return {}
    async with context.one_at_a_time(located.kind, located.name):
        if not await movable(context, [located]):
            text = f"{located.kind} {located.name} is used or was moved by somebody else just now: try again"
            raise Refused(409, text)
        if located.kind == "volume":
            await _move_volume(context, source, target, located.name)
            return {}
        return await _move_network(context, source, target, located.name)


def _only_holder(context: ManagerContext, located: Located) -> Engine | None:
    engine = context.cluster.engines.get(next(iter(located.nodes))) if len(located.nodes) == 1 else None
    return engine if engine is not None and engine.reachable else None


async def _is_empty(context: ManagerContext, engine: Engine, name: str) -> bool:  # noqa: ARG001
    volume: dict[str, Any] = next((v for v in engine.volumes if v.get("Name") == name), {})
    plain = volume.get("Driver") == "local" and not volume.get("Options")
    return plain and not any(name in c.volumes for c in engine.node.held()) and await volume_size(engine, name) == 0


async def _is_unused(context: ManagerContext, engine: Engine, name: str) -> bool:
    key = _network_id(engine, name)
    if key not in context.network_bodies:
        return False
    spelt = {str(n.get("Name")) for n in engine.networks if n.get("Id") == key} | {key, name}
    if any(not spelt.isdisjoint(c.networks) for c in engine.node.held()):
        return False
    with suppress(Refused):
        value = await engine.get(f"/networks/{key}")
        return isinstance(value, dict) and not value.get("Containers")
    return False


async def _move_volume(context: ManagerContext, source: Engine, target: Engine, name: str) -> None:
    record = next(v for v in source.volumes if v.get("Name") == name)
    body = {"Name": name, "Driver": "local", "Labels": record.get("Labels") or {}}
    await _post(context, target, "/volumes/create", body)
    await _delete(context, source, f"/volumes/{name}")
    for engine in (source, target):
        with suppress(Refused):
            await engine.refresh_kinds("volume")
    context.cluster.log(f"the empty volume {name} was moved from {source.name} to {target.name}")


async def _move_network(context: ManagerContext, source: Engine, target: Engine, name: str) -> dict[str, str]:
    key = _network_id(source, name)
    body = context.network_bodies[key]
    made = str((await _post(context, target, "/networks/create", body)).get("Id"))
    await _delete(context, source, f"/networks/{key}")
    context.network_bodies.pop(key, None)
    context.remember_network(made, body)
    context.remember_move(key, made)
    for engine in (source, target):
        with suppress(Refused):
            await engine.refresh_kinds("network")
    context.cluster.log(f"the unused network {body.get('Name')} was moved from {source.name} to {target.name}")
    return {key: made}


def _network_id(engine: Engine, name: str) -> str:
    found = pick_network(name, EngineObjects([(engine, engine.networks)]))
    return found[0].id if found else ""


async def _post(context: ManagerContext, engine: Engine, path: str, body: dict[str, Any]) -> dict[str, Any]:
    value = await (await engine.ask(Request.json("POST", build(context.cluster.api(), path), body))).value()
    return value if isinstance(value, dict) else {}


async def _delete(context: ManagerContext, engine: Engine, path: str) -> None:
    """Remove; one that is in use by now stays."""
    with suppress(Refused):
        await (await engine.ask(Request("DELETE", build(context.cluster.api(), path)))).value()
