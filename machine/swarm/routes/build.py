"""Builds: one engine each. The session that a BuildKit build speaks through goes to the same engine as the build."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from machine.swarm.chain import Hijack, Refused, Reply, Request
from machine.swarm.cluster import Engine
from machine.swarm.routes.desk import Desk
from machine.swarm.routes.table import TABLE
from machine.swarm.schedule.expression import BadExpression
from machine.swarm.schedule.want import KINDS, Want, lift, want

WAIT = 5.0  # seconds that a build waits for its session to come
KEPT = 3600.0  # seconds that a session's engine is remembered
SESSION = b"x-docker-expose-session-uuid"


@TABLE.at("POST", "/build")
async def build(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On the session's engine, or on the one that the scheduler chooses; expressions come in the build args."""
    query = {k: list(v) for k, v in request.query.items()}
    asked, query["buildargs"] = _want(request.arg("buildargs"))
    if not query["buildargs"]:
        del query["buildargs"]
    engine = await _engine_of(desk, request.arg("session")) if request.arg("session") else None
    engine = engine or desk.choose(asked)[0]
    if request.arg("buildid"):
        desk.remember_session(request.arg("buildid"), engine)
    reply = await engine.ask(request.at("/build", query))
    if reply.ok and isinstance(reply.body, AsyncIterator):
        reply.body = _then_look(reply.body, engine)
    return reply


async def _then_look(body: AsyncIterator[bytes], engine: Engine) -> AsyncIterator[bytes]:
    """Pass the build's output on; the new image is known before the client hears the end."""
    try:
        async for piece in body:
            yield piece
        with suppress(Refused):
            await engine.look_at("image")
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


@TABLE.at("POST", "/session", "/grpc")
async def session(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """A raw connection to the engine that builds; buildx's, which names no session, all to one engine."""
    if request.path == "/grpc":
        engine = _builder(desk)
    else:
        engine = desk.choose(Want())[0]
        key = request.header(SESSION).decode("latin-1")
        if key:
            desk.remember_session(key, engine)
    reply = await engine.ask(request)
    if not isinstance(reply.body, Hijack) and not reply.ok:
        await reply.read()
    return reply


@TABLE.at("POST", "/build/cancel")
async def cancel(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """To the engine of that build."""
    engine = await _engine_of(desk, request.arg("id"), wait=0)
    if engine is None:
        raise Refused(404, f"No such build: {request.arg('id')}")
    return await engine.ask(request)


@TABLE.at("POST", "/build/prune")
async def prune(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On every engine."""
    answers = await desk.values(desk.cluster.healthy(), request)
    gone = [key for answer in answers.values() for key in answer.get("CachesDeleted") or ()]
    reclaimed = sum(answer.get("SpaceReclaimed") or 0 for answer in answers.values())
    return Reply.json({"CachesDeleted": gone or None, "SpaceReclaimed": reclaimed})


def _want(text: str) -> tuple[Want, list[str]]:
    """The want in `buildargs`, and what is left of them: [] if nothing."""
    try:
        args: Any = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"buildargs is not JSON: {error}") from error
    if not isinstance(args, dict):
        raise Refused(400, "buildargs is not an object")
    ours = {k: v for k, v in args.items() if str(k).partition(":")[0] in KINDS and ":" in str(k)}
    body = {"Env": [f"{key}={value}" for key, value in ours.items()]}
    try:
        asked = want({}, lift(body))
    except BadExpression as error:
        raise Refused(400, str(error)) from error
    left = {k: v for k, v in args.items() if k not in ours}
    return asked, [json.dumps(left)] if left else []


async def _engine_of(desk: Desk, key: str, *, wait: float = WAIT) -> Engine | None:
    end = time.monotonic() + wait
    while True:
        found = desk.sessions.get(key)
        if found is not None and found[0].reachable and time.monotonic() - found[1] < KEPT:
            return found[0]
        if time.monotonic() >= end:
            return None
        await asyncio.sleep(0.05)


def _builder(desk: Desk) -> Engine:
    """The engine for connections that say nothing of what they build: the same for as long as it answers."""
    now = time.monotonic()
    if desk.builder is None or not desk.builder[0].reachable or now - desk.builder[1] > KEPT:
        desk.builder = (desk.choose(Want())[0], now)
    desk.builder = (desk.builder[0], now)
    return desk.builder[0]
