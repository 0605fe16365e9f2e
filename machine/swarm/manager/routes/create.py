"""POST /containers/create: choose an engine and make the container there."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from machine.swarm.cluster import Engine
from machine.swarm.cluster.container import shares
from machine.swarm.cluster.signing import LABEL, SignedCreate
from machine.swarm.manager.routes import move_objects
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.holders import engines_with_image, missing_message, with_image
from machine.swarm.manager.routes.needed_objects import locate, replaced_by
from machine.swarm.manager.routes.node_prefixes import resolve_colocated, strip_node_prefixes
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.pipeline import JSON, ApiError, NotConnected, Reply, Request
from machine.swarm.placing import bind_warnings
from machine.swarm.placing.name_reservations import check_name
from machine.swarm.placing.relocate import choose_engine_with_moves
from machine.swarm.scheduler.expressions import BadExpression, Expression
from machine.swarm.scheduler.node import PlainContainer
from machine.swarm.scheduler.placement_request import (
    EXPRESSION_LABELS,
    ID,
    PlacementRequest,
    RequiredObject,
    extract_expressions,
    parse_create,
)
from machine.swarm.scheduler.references import rename_network


@HANDLERS.handles("POST", "/containers/create")
async def create(context: ManagerContext, request: Request) -> Reply:
    """Create a container: 201 with its id. Raises ApiError(409) if any container of the cluster has its name."""
    request = await request.with_body_read()
    body = request.json_body()
    if not isinstance(body, dict):
        raise ApiError(400, "the body of a create is a JSON object")
    name = request.query_value("name").strip("/")
    check_name(name)
    with context.names.reserve(name, in_use=bool(context.cluster.index.with_name(name))):
        return await bind_warnings.add(await make(context, request, body, name), body)


class RescheduleState(NamedTuple):
    """How a container that is made again came to that: how often it was moved, and whether it is to run."""

    generation: int = 0
    runs: bool = False


async def make(
    context: ManagerContext,
    request: Request,
    body: dict[str, Any],
    name: str,
    *,
    avoid: frozenset[str] = frozenset(),
    reschedule: RescheduleState | None = None,
) -> Reply:
    """Choose and make; on failure again elsewhere as often as swarm.createretry says. `avoid` = engines' addresses.

    `reschedule` is set for one that is made again because its engine failed.
    """
    placement = await _placement(context, request, body, name, avoid=avoid, reschedule=reschedule)
    tries = context.cluster.settings.createretry + 1
    looked_for_image = False
    failure: Reply | None = None
    while True:
        try:
            engine = await _choose(context, placement, body, avoid)
        except ApiError:
            if failure is None:
                raise
            return failure  # nobody is left to try: why the last one could not says more
        signed_body = _sign(context, engine, body, placement, reschedule or RescheduleState())
        try:
            reply = await _make_on(engine, request, signed_body, placement)
        except NotConnected as error:  # it died just now, and has heard nothing of this
            failure = Reply.error(error.status, error.message)
            avoid |= {engine.address}
            continue
        if reply.ok or (tries <= 1 and reply.status != 404):
            return reply
        if reply.status == 404 and not looked_for_image and b"o such image" in await reply.read():
            looked_for_image = True
            others = [other for other in await engines_with_image(context, placement.image) if other is not engine]
            if not others:
                return reply
            avoid |= {other.address for other in context.cluster.engines.values() if other not in others}
            failure = reply  # if those that have it cannot take it, the client pulls it for the one that could
            continue
        tries -= 1
        if tries <= 0 or reply.status == 404:
            return reply
        failure = reply
        avoid |= {engine.address}


async def _placement(
    context: ManagerContext,
    request: Request,
    body: dict[str, Any],
    name: str,
    *,
    avoid: frozenset[str],
    reschedule: RescheduleState | None,
) -> PlacementRequest:
    """Return what the scheduler is to find an engine for, with the places of all that the container depends on."""
    labels = body.get("Labels")
    if reschedule is None and isinstance(labels, dict) and context.cluster.ledger.knows(str(labels.get(ID))):
        del labels[ID]  # copied from another container, as tools do that replace one by a newer one
    placement, pinned = _placement_request(context, request, body, name)
    if is_reschedulable(body) and not name:
        placement = replace(placement, name=f"swarm-{body['Labels'][ID][:12]}")  # a name of ours: it moves along
    required = await locate(context, placement, avoid=avoid, pinned_names=pinned)
    replaced_ids = replaced_by(context, name, body["Labels"])
    if required or replaced_ids:
        placement = replace(placement, required_objects=required, replaced_container_ids=replaced_ids)
    return placement


def _placement_request(
    context: ManagerContext, request: Request, body: dict[str, Any], name: str
) -> tuple[PlacementRequest, list[str]]:
    """What the create wants, and the names that it gives with a node. Raises ApiError(400) if the body cannot be read.

    Its expressions and its id in the swarm are in its labels afterwards.
    """
    if body.get("Labels") is not None and not isinstance(body["Labels"], dict):
        raise ApiError(400, "this create cannot be read: its Labels are not an object")
    try:
        expressions = extract_expressions(body)
        pins = strip_node_prefixes(context, body)
        placement = resolve_colocated(context, parse_create(body, expressions, name))
    except (BadExpression, ValueError) as error:
        raise ApiError(400, f"this create cannot be read: {error}") from error
    except (AttributeError, TypeError) as error:
        raise ApiError(
            400, "this create cannot be read: one of its fields is of another kind than the API's"
        ) from error
    body["Labels"] = dict(body.get("Labels") or {})
    body["Labels"].setdefault(ID, secrets.token_hex(32))
    pinned = [Expression("node", "==", node) for node, _ in pins]
    pinned += _platform(request)
    if pinned:
        placement = replace(placement, constraints=(*placement.constraints, *pinned))
    return placement, [name for _, name in pins]


def is_reschedulable(body: dict[str, Any]) -> bool:
    """Whether a create, its expressions moved to its labels, asks to be made again when its engine fails."""
    return "on-node-failure" in str((body.get("Labels") or {}).get(EXPRESSION_LABELS["reschedule"], ""))


def _sign(
    context: ManagerContext,
    engine: Engine,
    body: dict[str, Any],
    placement: PlacementRequest,
    reschedule: RescheduleState,
) -> dict[str, Any]:
    """The body with our signature on it, if it asks to move; what a client sent in its place is left out."""
    labels = body["Labels"]
    if LABEL in labels:
        labels = {key: value for key, value in labels.items() if key != LABEL}
        body = {**body, "Labels": labels}
    if not is_reschedulable(body) or engine.facts is None:
        return body
    create = SignedCreate(
        body=body,
        swarm_id=labels[ID],
        name=placement.name,
        engine_id=engine.facts.id,
        engine_name=engine.facts.name,
        generation=reschedule.generation,
        runs=reschedule.runs,
        created_at=time.time(),
    )
    label = context.cluster.keyring.sign(create)
    if not label:
        context.cluster.log(
            f"rescheduling: the create of {placement.name} is too long to be signed: it will not be moved"
        )
        return body
    return {**body, "Labels": {**labels, LABEL: label}}


async def _choose(
    context: ManagerContext, placement: PlacementRequest, body: dict[str, Any], avoid: frozenset[str]
) -> Engine:
    """The best engine, with what the container needs on it; what is empty or unused may have been moved there."""

    async def fit(placement: PlacementRequest) -> Engine:
        return await _fit(context, placement, avoid)

    async def movable(objects: Sequence[RequiredObject]) -> list[RequiredObject]:
        return await move_objects.movable(context, objects)

    engine, leaving = await choose_engine_with_moves(fit, placement, movable)
    for required in leaving:
        for old_id, new_id in (await move_objects.move(context, required, engine)).items():
            rename_network(body, old_id, new_id)
    return engine


async def _fit(context: ManagerContext, placement: PlacementRequest, avoid: frozenset[str]) -> Engine:
    """The best engine that has everything, its containers' reservations and ports known as far as they matter."""
    cluster = context.cluster
    engines = [e for e in cluster.engines.values() if e.address not in avoid] if avoid else None
    candidates = await with_image(context, placement.image, engines)
    weighs = bool(placement.cpus or placement.memory)
    if weighs and cluster.settings.strategy.startswith("binpack"):
        for engine in cluster.healthy():  # the fullest can only be told when all are known
            if not engine.node.all_inspected:
                await cluster.inspect_all(engine)
    try:
        return await _best(context, placement, candidates, weighs=weighs)
    except ApiError:
        if candidates is engines:
            raise
        context.choose(placement, engines)  # says why, when the image is not the reason
        raise ApiError(404, missing_message(placement.image, candidates or [])) from None


async def _best(
    context: ManagerContext, placement: PlacementRequest, engines: list[Engine] | None, *, weighs: bool
) -> Engine:
    studied: set[str] = set()
    while True:
        best = context.choose(placement, engines, limit=1)[0]
        if not (weighs or placement.ports or placement.host_mode) or best.node.all_inspected or best.address in studied:
            return best
        studied.add(best.address)
        await context.cluster.inspect_all(best)  # what was unknown can only make it worse: choose again


async def _make_on(engine: Engine, request: Request, body: dict[str, Any], placement: PlacementRequest) -> Reply:
    key = body["Labels"][ID]
    engine.node.creating[key] = PlainContainer.in_creation(key, placement, body["Labels"])
    engine.node.invalidate()
    try:
        host = body.get("HostConfig") or {}
        engine_body = body
        if placement.cpus and engine.facts:
            engine_body = {**body, "HostConfig": {**host, "CpuShares": shares(placement.cpus, engine.facts.cpus)}}
        query = {k: list(v) for k, v in request.query.items() if k != "name"}
        if placement.name:
            query["name"] = [placement.name]
        call = request.with_path("/containers/create", query).replace(
            headers=[JSON, *_registry(request)], body=json.dumps(engine_body).encode(), client=""
        )
        reply = await engine.ask(call)
        if reply.ok:
            created_id = str((await reply.json_body()).get("Id"))
            if not engine.cluster.id_is_free(engine, created_id):
                raise reply.wrong("the id that it gives means a container on another engine")
            await _remember(engine, created_id, engine_body, placement)
        return reply
    finally:
        engine.node.creating.pop(key, None)
        engine.node.invalidate()


async def _remember(engine: Engine, created_id: str, engine_body: dict[str, Any], placement: PlacementRequest) -> None:
    with suppress(ApiError):
        await engine.refresh([created_id])
        if placement.volumes and frozenset(placement.volumes).difference(str(v.get("Name")) for v in engine.volumes):
            await engine.refresh_kinds("volume")
        container = engine.containers.get(created_id)
        if container is not None and engine.facts:
            container.apply_inspect(
                {"Config": engine_body, "HostConfig": engine_body.get("HostConfig") or {}}, engine.facts.cpus
            )


def _platform(request: Request) -> list[Expression]:
    """The query `platform=linux/amd64` as a constraint on the operating system of the engine."""
    ostype = request.query_value("platform").partition("/")[0]
    return [Expression("ostype", "==", ostype)] if ostype else []


def _registry(request: Request) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in request.headers if name.startswith(b"x-registry") or name == b"user-agent"]
