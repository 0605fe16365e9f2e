"""Empty volumes and unused networks follow a container to the engine where the rest of what it needs is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, Request
from machine.swarm.placing.relocate import is_empty, move_volume
from machine.swarm.resolve import EngineObjects, pick_network
from machine.swarm.scheduler.placement_request import RequiredObject


async def movable(context: ManagerContext, objects: Sequence[RequiredObject]) -> list[RequiredObject]:
    """Those that can be made again on another engine without anybody losing anything.

    A volume that is empty, and a network that was made through this manager, which knows how, and that no container
    has joined.
    """
    chosen = []
    for required in objects:
        engines = _engines_with_object(context, required)
        if not all(engine.reachable for engine in engines):
            continue
        if required.kind == "volume":
            moves = await is_empty(engines, required.name)
        else:
            moves = len(engines) == 1 and await _is_unused(context, engines[0], required.name)
        if moves:
            chosen.append(required)
    return chosen


async def move(context: ManagerContext, required: RequiredObject, target: Engine) -> dict[str, str]:
    """Make it on the engine `target` and remove it where it was; a network's old id and its new one.

    Raises ApiError(409) if it cannot be moved any more.

    It is looked at once more, for several may want it on different engines; what somebody began to use just now is
    not removed, for the engine refuses that: then both stay.
    """
    sources = _engines_with_object(context, required)
    if not sources or target in sources:
        return {}
    async with context.one_at_a_time(required.kind, required.name):
        if not await movable(context, [required]):
            text = f"{required.kind} {required.name} is used or was moved by somebody else just now: try again"
            raise ApiError(409, text)
        if required.kind == "network":
            return await _move_network(context, sources[0], target, required.name)
        await move_volume(sources, target, required.name, context.cluster.api())
        for engine in (*sources, target):
            with suppress(ApiError):
                await engine.refresh_kinds("volume")
        names = ", ".join(engine.name for engine in sources)
        context.cluster.log(f"the empty volume {required.name} was moved from {names} to {target.name}")
        return {}


def _engines_with_object(context: ManagerContext, required: RequiredObject) -> list[Engine]:
    engines = (context.cluster.engines.get(address) for address in sorted(required.nodes))
    return [engine for engine in engines if engine is not None]


async def _is_unused(context: ManagerContext, engine: Engine, name: str) -> bool:
    key = _network_id(engine, name)
    if key not in context.network_bodies:
        return False
    references = {str(n.get("Name")) for n in engine.networks if n.get("Id") == key} | {key, name}
    if any(not references.isdisjoint(c.networks) for c in engine.node.all_containers()):
        return False
    with suppress(ApiError):
        value = await engine.get(f"/networks/{key}")
        return isinstance(value, dict) and not value.get("Containers")
    return False


async def _move_network(context: ManagerContext, source: Engine, target: Engine, name: str) -> dict[str, str]:
    network_id = _network_id(source, name)
    body = context.network_bodies[network_id]
    created_id = str((await _post(context, target, "/networks/create", body)).get("Id"))
    await _delete(context, source, f"/networks/{network_id}")
    context.network_bodies.pop(network_id, None)
    context.remember_network(created_id, body)
    context.remember_move(network_id, created_id)
    for engine in (source, target):
        with suppress(ApiError):
            await engine.refresh_kinds("network")
    context.cluster.log(f"the unused network {body.get('Name')} was moved from {source.name} to {target.name}")
    return {network_id: created_id}


def _network_id(engine: Engine, name: str) -> str:
    found = pick_network(name, EngineObjects([(engine, engine.networks)]))
    return found[0].id if found else ""


async def _post(context: ManagerContext, engine: Engine, path: str, body: dict[str, Any]) -> dict[str, Any]:
    value = await (await engine.ask(Request.json("POST", build(context.cluster.api(), path), body))).json_body()
    return value if isinstance(value, dict) else {}


async def _delete(context: ManagerContext, engine: Engine, path: str) -> None:
    """Remove the object at `path` from an engine; one that is in use by now stays, without an error."""
    with suppress(ApiError):
        await (await engine.ask(Request("DELETE", build(context.cluster.api(), path)))).json_body()
