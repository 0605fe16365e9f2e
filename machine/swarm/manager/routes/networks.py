"""Routes of networks: under the names that clients gave them, NODE/NAME where several engines have one of that name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from machine.swarm.api.scope import is_spanning
from machine.swarm.cluster import Engine
from machine.swarm.fanout.broadcast import by_node, successful
from machine.swarm.manager.routes import move_objects, object_filters
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.object_filters import Filters
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.objects import merge_networks, shared_names
from machine.swarm.pipeline import ApiError, Reply, Request
from machine.swarm.placing.project import engines_of_project
from machine.swarm.printable import is_printable, printable
from machine.swarm.resolve import Ambiguous, EngineObjects, only, pick_network, split_node
from machine.swarm.scheduler.placement_request import PlacementRequest, RequiredObject
from machine.swarm.scheduler.references import project_of

Network = dict[str, Any]


@HANDLERS.handles("GET", "/networks")
async def networks(context: ManagerContext, request: Request) -> Reply:
    """List the networks of all engines, each once."""

    def list_from_memory(engine: Engine, filters: Filters) -> list[Network]:
        return [network for network in engine.networks if object_filters.network_passes(network, filters)]

    found = await objects_by_engine(context, request, object_filters.NETWORK_FILTERS, list_from_memory)
    shared = shared_names(engine.networks for engine in context.cluster.healthy())
    return Reply.json(merge_networks(by_node(found), shared))


async def objects_by_engine(
    context: ManagerContext,
    request: Request,
    applicable_filters: frozenset[str],
    list_from_memory: Callable[[Engine, Filters], Any],
) -> dict[Engine, Any]:
    """What each engine has for a list of networks or volumes, as far as it may have what the filters ask for.

    `list_from_memory` gives it for an engine; engines are asked if there are filters beyond `applicable_filters`, which
    need more than an object's own record.
    """
    filters = request.filters()
    nodes = set(filters.pop("node", []))  # names or ids; empty = all
    engines = [e for e in context.cluster.healthy() if not nodes or e.name in nodes or e.id in nodes]
    names = {e.name for e in context.cluster.engines.values()}
    at_engines = {engine: object_filters.at_node(filters, engine.name, names) for engine in engines}
    filters_by_engine = {engine: own_filters for engine, own_filters in at_engines.items() if own_filters is not None}
    if not filters_by_engine or object_filters.can_apply_locally(filters, applicable_filters):
        return {engine: list_from_memory(engine, own_filters) for engine, own_filters in filters_by_engine.items()}

    async def ask(engine: Engine) -> Any:
        call = request.with_path(request.path, {"filters": [json.dumps(filters_by_engine[engine])]})
        return await (await engine.ask(call)).json_body()

    return successful(await context.broadcast(list(filters_by_engine), ask))


def find(context: ManagerContext, text: str, engine: Engine | None = None) -> tuple[Engine, Network]:
    """The network of that id, NODE/NAME, NAME, or beginning of an id, and an engine that has it.

    Raises ApiError(404) if there is none, or `text` may be several.

    Of several with one name the one on `engine` is meant, if that is given; of those that every engine makes by
    itself any.
    """
    text = context.replaced_network_ids.get(text, text)
    node, name = split_node(text, context.cluster.engine)
    owner = context.cluster.engine(node) if node else None
    found = pick_network(name, EngineObjects((e, e.networks) for e in context.cluster.healthy() if owner in (None, e)))
    found = [network for network in found if network.engine is engine] or found
    distinct = list({network.id: network for network in found}.values())
    try:
        chosen = only(text, distinct[:1] if text in object_filters.PREDEFINED else distinct)
    except Ambiguous as error:
        raise ApiError(404, f"network {error}") from error
    if chosen is None:
        raise ApiError(404, f"network {text} not found")
    return chosen.engine, dict(chosen.value)


@HANDLERS.handles("GET", "/networks/{name}")
async def inspect(context: ManagerContext, request: Request) -> Reply:
    """The answer of an engine that has it; of one that spans engines with the containers of all of them."""
    engine, network = find(context, request.name)
    call = request.with_path(f"/networks/{network['Id']}")
    if not is_spanning(network):
        return await engine.ask(call)
    holders = [e for e in context.cluster.healthy() if any(n.get("Id") == network["Id"] for n in e.networks)]
    return Reply.json(merge_networks(by_node({e: [n] for e, n in (await context.values(holders, call)).items()}))[0])


@HANDLERS.handles("POST", "/networks/create")
async def create(context: ManagerContext, request: Request) -> Reply:
    """On the node in NODE/NAME; else on the one that has more of its Compose project, else on one that is chosen."""
    request = await request.with_body_read()
    body = request.json_body()
    if not isinstance(body, dict) or not isinstance(body.get("Name"), str):
        raise ApiError(400, "the body of a network's create has a Name")
    if not is_printable(body["Name"]):  # engines take it, and cannot be believed about their networks afterwards
        raise ApiError(400, f"the network's name {printable(body['Name'])[:80]} has unprintable characters")
    node, slash, name = body["Name"].partition("/")
    pinned = context.node(node) if slash else None
    if slash:
        body["Name"] = name
    async with context.one_at_a_time("network", body["Name"]):
        engine = pinned or _engine_for(context, body)
        reply = await engine.ask(Request.json("POST", request.target, body))
        if reply.ok:
            await reply.read()
            key = str((await reply.json_body()).get("Id"))
            others = [n for e in context.cluster.engines.values() if e is not engine for n in e.networks]
            if any(n.get("Id") == key and not is_spanning(n) for n in others):
                raise reply.wrong("the id that it gives is that of another engine's network")
            context.remember_network(key, body)
            await _refresh([engine])
    return reply


def _engine_for(context: ManagerContext, body: dict[str, Any]) -> Engine:
    name_exists = any(n.get("Name") == body["Name"] for e in context.cluster.healthy() for n in e.networks)
    if name_exists and body["Name"] not in object_filters.PREDEFINED:  # of those the engine says what is wrong
        raise ApiError(409, f"network with name {body['Name']} already exists")
    of_project = engines_of_project(context.cluster.healthy(), project_of(body))
    return context.choose(PlacementRequest(), of_project or None)[0]


@HANDLERS.handles("DELETE", "/networks/{name}")
async def remove(context: ManagerContext, request: Request) -> Reply:
    """Remove a network from the engine that has it."""
    engine, network = find(context, request.name)
    reply = await engine.ask(request.with_path(f"/networks/{network['Id']}"))
    if reply.ok:
        await _refresh(context.cluster.healthy() if is_spanning(network) else [engine])
    return reply


@HANDLERS.handles("POST", "/networks/{name}/connect|disconnect")
async def connect(context: ManagerContext, request: Request) -> Reply:
    """On the container's engine: the network is there, spans engines, or is moved there because nobody is in it."""
    request = await request.with_body_read()
    body = request.json_body()
    if not isinstance(body, dict):
        raise ApiError(400, "the body names a Container")
    verb = request.verb
    container = context.container(str(body.get("Container") or ""))
    engine, network = find(context, request.name, container.engine)
    key = str(network["Id"])
    if not is_spanning(network) and container.engine is not engine:
        found = [RequiredObject("network", key, frozenset({engine.address}))] if verb == "connect" else []
        if not await move_objects.movable(context, found):
            shown = f"{engine.name}/{network.get('Name')}"
            raise ApiError(404, f"network {shown} is not on {container.engine.name}, where the container is")
        key = (await move_objects.move(context, found[0], container.engine)).get(key, key)
    body["Container"] = container.id
    call = Request.json("POST", request.with_path(f"/networks/{key}/{verb}").target, body)
    reply: Reply = await container.engine.ask(call)
    if reply.ok:
        if container.is_reschedulable:
            settings = (body.get("EndpointConfig") or {}) if verb == "connect" else None
            known = context.network_bodies.get(str(network["Id"]), network)  # by what a client called it, if we know
            context.cluster.ledger.record_network(container.swarm_id, str(known.get("Name")), settings)
        with suppress(ApiError):
            await container.engine.refresh([container.id])
    return reply


async def _refresh(engines: Iterable[Engine]) -> None:
    for engine in engines:
        with suppress(ApiError):
            await engine.refresh_kinds("network")
