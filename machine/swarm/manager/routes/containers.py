"""Routes of containers that exist: most go to the one engine that has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from machine.swarm.api.responses import EngineReply
from machine.swarm.cluster import Container, Engine
from machine.swarm.fanout.broadcast import engines_with
from machine.swarm.manager.routes import list_filters, listing
from machine.swarm.manager.routes.context import ManagerContext, drop_headers
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.containers import inspected
from machine.swarm.pipeline import ApiError, Reply, Request, Unreachable
from machine.swarm.placing.name_reservations import check_name

OF = "/containers/{name}/"
FILTER_SECONDS = 5.0  # seconds for an engine's word on a filter; then what is remembered has to do
EXEC_SECONDS = 15.0  # seconds for an engine's word on an exec that nobody remembers


@HANDLERS.handles("GET", "/containers/json|ps")
async def ps(context: ManagerContext, request: Request) -> Reply:
    """List the containers from memory; with `size`, the engines are asked for those of the sizes."""
    filters = request.filters()
    for key in ("before", "since"):  # the older way to say it
        if request.query_value(key):
            filters.setdefault(key, []).append(request.query_value(key))
    limit = list_filters.limit(request.query_value("limit"))
    list_filters.check(filters)
    engine_answers = await _ids_by_engine(context, filters)
    chosen = listing.choose(
        context.cluster.index, filters, every=request.flag("all"), limit=limit, engine_answers=engine_answers
    )
    if request.flag("size"):
        return Reply.json(await _with_sizes(context, chosen))
    return listing.reply(chosen, context.images.superseded_tags())


async def _ids_by_engine(context: ManagerContext, filters: dict[str, list[str]]) -> dict[Engine, frozenset[str]]:
    """What the engines say to filters that they know better: what an image was made from, ports of what is stopped."""
    engine_filters = {key: filters[key] for key in listing.ENGINE_FILTERS if filters.get(key)}
    if not engine_filters:
        return {}
    await context.images.settle()
    if "ancestor" in engine_filters:
        tables = context.images.tables()
        newest = {name: sorted(context.images.newest.of(name, tables)) for name in engine_filters["ancestor"]}
        engine_filters["ancestor"] = [key for name, ids in newest.items() for key in ids or [name]]

    async def ask(engine: Engine) -> frozenset[str]:
        own_filters = {key: [_strip_node(engine, value) for value in values] for key, values in engine_filters.items()}
        try:
            async with asyncio.timeout(FILTER_SECONDS):
                entries = await engine.get("/containers/json", {"all": ["1"], "filters": [json.dumps(own_filters)]})
        except TimeoutError:
            raise Unreachable(504, f"{engine.name} does not list its containers in time") from None
        return frozenset(str(entry["Id"]) for entry in entries or ())

    answers = await context.broadcast([e for e in context.cluster.healthy() if e.containers], ask)
    return {engine: answer for engine, answer in answers.items() if not isinstance(answer, ApiError)}


def _strip_node(engine: Engine, value: str) -> str:
    """The name of a network or volume without the NODE/ in front, as the engine itself has it."""
    return value.removeprefix(f"{engine.name}/")


async def _with_sizes(context: ManagerContext, containers: list[Container]) -> list[dict[str, Any]]:
    engines = list(dict.fromkeys(c.engine for c in containers if c.engine.reachable))

    async def ask(engine: Engine) -> Any:
        ids = [c.id for c in containers if c.engine is engine]
        query = {"all": ["1"], "size": ["1"], "filters": [json.dumps({"id": ids})]}
        return await engine.get("/containers/json", query)

    answers = (await context.broadcast(engines, ask)).values()
    sizes = {entry["Id"]: entry for answer in answers if not isinstance(answer, ApiError) for entry in answer}
    keys = ("SizeRw", "SizeRootFs")
    return [{**c.value(), **{k: sizes[c.id][k] for k in keys if k in sizes.get(c.id, {})}} for c in containers]


@HANDLERS.handles("GET", OF + "json")
async def inspect(context: ManagerContext, request: Request) -> Reply:
    """The engine's answer, which node it is, and published ports at the node's address."""
    container = context.container(request.name)
    reply = await _forward(container, request, "json")
    if not reply.ok:
        return reply
    value = await reply.json_body()
    engine: Engine = container.engine
    if not container.inspected and not request.flag("size"):
        container.apply_inspect(value, engine.facts.cpus if engine.facts else 0)
        engine.node.invalidate()
    return Reply.json(inspected(engine.node_info, value))


@HANDLERS.default_for_kind("container")
async def pass_on(context: ManagerContext, request: Request) -> Reply:
    """Pass a call to the container's engine and its answer back, streams and raw connections too."""
    return await _forward(context.container(request.name), request, request.verb)


@HANDLERS.handles("POST", OF + "wait")
async def wait(context: ManagerContext, request: Request) -> Reply:
    """Wait for a container on its engine; that it has ended is known here before the client hears of it."""
    container = context.container(request.name)
    reply = await _forward(container, request, "wait")
    if isinstance(reply.body, AsyncIterator):
        reply.body = _refreshed_at_end(container, reply.body)
    elif reply.ok:
        await _refresh(container)
    return reply


async def _refreshed_at_end(container: Container, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in body:
            await _refresh(container)
            yield piece
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


@HANDLERS.handles("POST", OF + "start|stop|restart|kill|pause|unpause|update")
async def change(context: ManagerContext, request: Request) -> Reply:
    """To its engine; what is remembered is true again before the client hears of it."""
    container = context.container(request.name)
    verb = request.verb
    reply = await _forward(container, request, verb)
    if reply.ok:
        await _refresh(container)
        if verb == "update":
            container.inspected = False
            with suppress(ApiError):
                await container.engine.inspect(container)
    return reply


@HANDLERS.handles("POST", OF + "rename")
async def rename(context: ManagerContext, request: Request) -> Reply:
    """Rename a container. Raises ApiError(409) if any container of the cluster has that name."""
    container = context.container(request.name)
    new_name = request.query_value("name").strip("/")
    check_name(new_name)
    others = [c for c in context.cluster.index.with_name(new_name) if c is not container]
    with context.names.reserve(new_name, in_use=bool(others)):
        reply = await _forward(container, request, "rename")
        if reply.ok:
            if container.is_reschedulable:
                context.cluster.ledger.record_name(container.swarm_id, new_name)
            await _refresh(container)
    return reply


@HANDLERS.handles("DELETE", "/containers/{name}")
async def remove(context: ManagerContext, request: Request) -> Reply:
    """To its engine; forgotten at once. With `link=1` only a link goes: NAME/ALIAS is the alias that NAME has."""
    if request.flag("link"):
        return await _remove_link(context, request, request.name)
    container = context.container(request.name)
    reply: Reply = await container.engine.ask(request.with_path(f"/containers/{container.id}"))
    if reply.ok:
        container.engine.forget(container.id)
    return reply


async def _remove_link(context: ManagerContext, request: Request, name: str) -> Reply:
    """To the engine of the container that has the alias; whatever names have changed there is known then."""
    parent, slash, alias = name.strip("/").rpartition("/")
    container = context.container(parent if slash else alias)
    there = f"{container.name}/{alias}" if slash else container.name
    reply: Reply = await container.engine.ask(request.with_path(f"/containers/{there}"))
    if reply.ok:
        with suppress(ApiError):
            await container.engine.refresh()
    return reply


@HANDLERS.handles("POST", OF + "exec")
async def exec_create(context: ManagerContext, request: Request) -> Reply:
    """Make an exec on the container's engine, and remember which engine has it."""
    container = context.container(request.name)
    reply = await _forward(container, request, "exec")
    if not reply.ok:
        return reply
    value = await reply.json_body()
    key = str(value.get("Id"))
    if context.execs.get(key, container.engine) is not container.engine:
        raise reply.wrong("the id that it gives is that of an exec on another engine")
    context.remember_exec(key, container.engine)
    return Reply(reply.status, drop_headers(reply.headers, b"content-length"), json.dumps(value).encode())


@HANDLERS.default_for_kind("exec")
async def exec_use(context: ManagerContext, request: Request) -> Reply:
    """To the engine that has it; if we were restarted since, every engine is asked once."""
    engine = context.execs.get(request.name)
    if engine is None:
        engines, log = context.cluster.healthy(), context.cluster.log
        found = await engines_with(engines, f"/exec/{request.name}/json", log, EXEC_SECONDS)
        if not found:
            raise ApiError(404, f"No such exec instance: {request.name}")
        engine = found[0]
        context.remember_exec(request.name, engine)
    return await engine.ask(request)


async def _forward(container: Container, request: Request, verb: str) -> EngineReply:
    reply: EngineReply = await container.engine.ask(request.with_path(f"/containers/{container.id}/{verb}"))
    return reply


async def _refresh(container: Container) -> None:
    with suppress(ApiError):
        await container.engine.refresh([container.id])
