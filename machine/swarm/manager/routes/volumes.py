"""Routes of volumes: under the names that clients gave them, NODE/NAME where several engines have one of that name.

A volume is made on one engine, and what mounts it goes there; with a whitelist, on every engine that it names.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.fanout.broadcast import by_node, successful
from machine.swarm.manager.routes import object_filters
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.networks import objects_by_engine
from machine.swarm.manager.routes.object_filters import Filters
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.objects import merge_volumes, shared_names
from machine.swarm.pipeline import ApiError, Reply, Request
from machine.swarm.placing.project import engines_of_project
from machine.swarm.resolve import EngineObjects, pick_volume, split_node
from machine.swarm.scheduler.expressions import BadExpression
from machine.swarm.scheduler.filters import NO_HEALTHY_NODE, STRICT, NotMet, whitelist
from machine.swarm.scheduler.placement_request import PlacementRequest, extract_expressions, parse_create
from machine.swarm.scheduler.references import project_of


@HANDLERS.handles("GET", "/volumes")
async def volumes(context: ManagerContext, request: Request) -> Reply:
    """List the volumes of all engines, each once."""

    def list_from_memory(engine: Engine, filters: Filters) -> dict[str, Any]:
        return {"Volumes": [volume for volume in engine.volumes if object_filters.volume_passes(volume, filters)]}

    found = await objects_by_engine(context, request, object_filters.VOLUME_FILTERS, list_from_memory)
    shared = shared_names(engine.volumes for engine in context.cluster.healthy())
    return Reply.json(merge_volumes(by_node(found), shared))


def engines_with_volume(context: ManagerContext, text: str) -> tuple[list[Engine], str]:
    """The engines that have the volume called NAME or NODE/NAME, and its name there.

    Raises ApiError(404) if there is none.
    """
    node, name = split_node(text, context.cluster.engine)
    engines = [context.node(node)] if node else context.cluster.healthy()
    found = pick_volume(name, EngineObjects((e, e.volumes) for e in engines))
    if not found:
        raise ApiError(404, f"get {name}: no such volume")
    return [volume.engine for volume in found], name


@HANDLERS.handles("GET", "/volumes/{name}")
async def inspect(context: ManagerContext, request: Request) -> Reply:
    """Inspect a volume on the first engine that has it."""
    engines, there = engines_with_volume(context, request.name)
    return await engines[0].ask(request.with_path(f"/volumes/{there}"))


@HANDLERS.handles("POST", "/volumes/create")
async def create(context: ManagerContext, request: Request) -> Reply:
    """On the node in NODE/NAME, on those that its whitelist names, on the one that has it; else on one that is chosen.

    Chosen is the engine that has more of its Compose project, else the one that the next container would get.
    """
    request = await request.with_body_read()
    body = request.json_body()
    body = {} if body is None else body
    if not isinstance(body, dict):
        raise ApiError(400, "the body of a volume's create is a JSON object")
    node, slash, name = str(body.get("Name") or "").partition("/")
    pinned = [context.node(node)] if slash else []
    body["Name"] = (name if slash else node) or secrets.token_hex(32)
    async with context.one_at_a_time("volume", body["Name"]):
        engines = pinned or _engines_for(context, body)
        call = Request.json("POST", request.target, body)

        async def make(engine: Engine) -> Any:
            return await (await engine.ask(call)).json_body()

        created_volumes = successful(await context.broadcast(engines, make))
        await _refresh(created_volumes)
    return Reply.json(next(iter(created_volumes.values())), 201)


def _engines_for(context: ManagerContext, body: dict[str, Any]) -> list[Engine]:
    engines = {e.node.address: e for e in context.cluster.healthy()}
    if not engines:
        raise ApiError(503, NO_HEALTHY_NODE)
    try:
        placement = parse_create({}, extract_expressions({"Labels": body.get("Labels")}))
        if placement.whitelists:
            return [engines[node.address] for node in whitelist(placement, [e.node for e in engines.values()], STRICT)]
    except BadExpression as error:
        raise ApiError(400, str(error)) from error
    except NotMet as error:
        text = f"Unable to find a node that satisfies the following conditions: {error.condition}"
        raise ApiError(400, text) from error
    holders = [e for e in context.cluster.engines.values() if any(v.get("Name") == body["Name"] for v in e.volumes)]
    if holders and not any(e.reachable for e in holders):
        text = f"volume {body['Name']} is on {holders[0].name}, which does not answer: {holders[0].health.error}; "
        other = next(iter(engines.values())).name
        raise ApiError(500, f"{text}a new and empty one is made by: docker volume create {other}/{body['Name']}")
    return [e for e in holders if e.reachable] or context.choose(
        PlacementRequest(), engines_of_project(context.cluster.healthy(), project_of(body)) or None
    )[:1]


@HANDLERS.handles("DELETE", "/volumes/{name}")
async def remove(context: ManagerContext, request: Request) -> Reply:
    """Remove a volume from every engine that has it; an error only if none could."""
    engines, there = engines_with_volume(context, request.name)
    await context.values(engines, request.with_path(f"/volumes/{there}"))
    await _refresh(engines)
    return Reply(204)


async def _refresh(engines: Iterable[Engine]) -> None:
    for engine in engines:
        with suppress(ApiError):
            await engine.refresh_kinds("volume")
