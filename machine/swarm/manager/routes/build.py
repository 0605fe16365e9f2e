"""Builds: one engine each. The session that a BuildKit build speaks through goes to the same engine as the build.

A session comes at the same moment as its build and says nothing of what it is for, so it waits for its build to be
placed. buildx never sends a build: it speaks gRPC on /grpc, and its sessions follow that.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes import build_cache
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.image_changes import WatchedConnection, pass_on_and_finish
from machine.swarm.manager.routes.needed_objects import locate
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.parsing import request_json
from machine.swarm.pipeline import ApiError, Hijack, Reply, Request
from machine.swarm.scheduler.expressions import BadExpression
from machine.swarm.scheduler.placement_request import (
    EXPRESSION_LABELS,
    PlacementRequest,
    extract_expressions,
    parse_create,
)

HOLD = 1.0  # seconds that a session waits for a build that names it
HOLD_BESIDE_GRPC = 0.2  # the same while buildx is about, whose sessions wait in vain
BUILDX_ACTIVE_SECONDS = 60.0  # seconds after a call of buildx in which it is about
KEPT = 3600.0  # seconds that a session's engine is remembered
SESSION = b"x-docker-expose-session-uuid"


@HANDLERS.handles("POST", "/build")
async def build(context: ManagerContext, request: Request) -> Reply:
    """On the session's engine, or on the best of those that fit; expressions come in the build args."""
    query = {k: list(v) for k, v in request.query.items()}
    placement, query["buildargs"] = _parse_build(request.query_value("buildargs"), request.query_value("networkmode"))
    if not query["buildargs"]:
        del query["buildargs"]
    placement = replace(
        placement, required_objects=await locate(context, placement, avoid=frozenset(), pinned_names=())
    )
    session = request.query_value("session")
    engine = _engine_of(context, session) or build_cache.engine_with_cache(context, request, context.choose(placement))
    if session:
        context.remember_session(session, engine)
    if request.query_value("buildid"):
        context.remember_session(request.query_value("buildid"), engine)
    build_cache.remember(context, request, engine)
    return await _build_on(context, engine, request.with_path("/build", query), request.query.get("t", []))


async def _build_on(context: ManagerContext, engine: Engine, request: Request, tags: Sequence[str]) -> Reply:
    """Build on `engine`; its images are listed again before the client receives the end of the answer."""
    context.images.begin(engine)
    try:
        reply: Reply = await engine.ask(request)
    except BaseException:
        context.images.end(engine)
        raise
    if isinstance(reply.body, AsyncIterator):
        finish = functools.partial(_built, context, engine, tags)
        reply.body = pass_on_and_finish(reply.body, finish, functools.partial(context.images.end, engine))
    else:
        await _built(context, engine, tags if reply.ok else [])
    return reply


async def _built(context: ManagerContext, engine: Engine, tags: Sequence[str]) -> None:
    """A build has ended: its images are known now, and that the containers of its steps are gone."""
    await context.images.finish(engine, tags)
    with contextlib.suppress(ApiError):
        await engine.refresh()


@HANDLERS.handles("POST", "/session")
async def session(context: ManagerContext, request: Request) -> Reply:
    """A raw connection to the engine that builds: the one its build was placed on, else buildx's."""
    key = request.header(SESSION).decode("latin-1")
    engine = await _await_engine(context, key) if key else None
    if engine is None:
        engine = _builder(context)
        if key:
            context.remember_session(key, engine)
    return await _raw(engine, request)


@HANDLERS.handles("POST", "/grpc")
async def grpc(context: ManagerContext, request: Request) -> Reply:
    """buildx's connections, which name no session: all to one engine. What they build is known when it is asked for."""
    engine = _builder(context)
    context.last_buildx_call = time.monotonic()
    context.images.begin(engine)
    try:
        reply = await _raw(engine, request)
    except BaseException:
        context.images.end(engine)
        raise
    ended = functools.partial(context.images.end, engine)
    if isinstance(reply.body, Hijack):
        reply.body = WatchedConnection(reply.body, ended)
    else:
        ended()
    return reply


async def _raw(engine: Engine, request: Request) -> Reply:
    reply = await engine.ask(request)
    if not isinstance(reply.body, Hijack) and not reply.ok:
        await reply.read()
    return reply


@HANDLERS.handles("POST", "/build/cancel")
async def cancel(context: ManagerContext, request: Request) -> Reply:
    """Pass the cancellation to the engine that runs the build. Raises ApiError(404) if there is no such build."""
    engine = _engine_of(context, request.query_value("id"))
    if engine is None:
        raise ApiError(404, f"No such build: {request.query_value('id')}")
    return await engine.ask(request)


def _parse_build(text: str, network: str) -> tuple[PlacementRequest, list[str]]:
    """What a build wants by its `buildargs` and its network mode, and what is left of the arguments: [] if nothing."""
    try:
        args: Any = request_json.read(text) if text else {}
    except request_json.BadJson as error:
        raise ApiError(400, f"buildargs is not JSON: {error}") from error
    if not isinstance(args, dict):
        raise ApiError(400, "buildargs is not an object")
    ours = {k: v for k, v in args.items() if str(k).partition(":")[0] in EXPRESSION_LABELS and ":" in str(k)}
    body = {"Env": [f"{key}={value}" for key, value in ours.items()]}
    try:
        placement = parse_create({"HostConfig": {"NetworkMode": network}}, extract_expressions(body))
    except BadExpression as error:
        raise ApiError(400, str(error)) from error
    build_args = {k: v for k, v in args.items() if k not in ours}
    return placement, [json.dumps(build_args)] if build_args else []


def _engine_of(context: ManagerContext, key: str) -> Engine | None:
    """The engine that has the session or build `key`; None if that is not known or the engine does not answer."""
    found = context.sessions.get(key)
    alive = found is not None and found[0].reachable and time.monotonic() - found[1] < KEPT
    return found[0] if found and alive else None


async def _await_engine(context: ManagerContext, key: str) -> Engine | None:
    """The engine of the build that names this session, waiting a moment for it; None for a session without one."""
    now = time.monotonic()
    end = now + (HOLD_BESIDE_GRPC if now - context.last_buildx_call < BUILDX_ACTIVE_SECONDS else HOLD)
    while (engine := _engine_of(context, key)) is None and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return engine


def _builder(context: ManagerContext) -> Engine:
    """The engine for connections that say nothing of what they build: the same for as long as it answers."""
    now = time.monotonic()
    if context.builder is None or not context.builder[0].reachable or now - context.builder[1] > KEPT:
        context.builder = (context.choose(PlacementRequest())[0], now)
    context.builder = (context.builder[0], now)
    return context.builder[0]
