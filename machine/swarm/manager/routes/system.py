"""Routes about the cluster as a whole: ping, version, info, events, disk usage; and those any engine can answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from machine import __version__
from machine.swarm import events, limits
from machine.swarm.cluster import Cluster, Engine
from machine.swarm.cluster.facts import OLDEST, api_of
from machine.swarm.fanout.broadcast import by_node, first_answer
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.events import mark_event
from machine.swarm.merge.info import most_common
from machine.swarm.merge.objects import shared_names
from machine.swarm.merge.usage import merge_disk_usage, merge_plugins
from machine.swarm.pipeline import JSON, ApiError, Reply, Request

NAME = f"swarm/{__version__}"
BUILDKIT = (1, 42)  # engines of this API and newer build with BuildKit unless told otherwise
OLDEST_TEXT = f"{OLDEST[0]}.{OLDEST[1]}"


@HANDLERS.handles("GET HEAD", "/_ping")
async def ping(context: ManagerContext, request: Request) -> Reply:  # noqa: ARG001
    """Local. The headers tell a client which version to speak and how to build."""
    headers = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"api-version", context.cluster.api().encode()),
        (b"ostype", _ostype(context.cluster).encode()),
        (b"docker-experimental", b"false"),
        (b"builder-version", b"2" if _all_build(context.cluster) else b"1"),
        (b"cache-control", b"no-cache, no-store, must-revalidate"),
        (b"server", NAME.encode()),
    )
    return Reply(200, headers, b"OK")


@HANDLERS.handles("GET", "/version")
async def version(context: ManagerContext, request: Request) -> Reply:  # noqa: ARG001
    """The version of the manager itself, with the kernel and architecture of its engines."""
    api = context.cluster.api()
    arch = next((e.facts.arch for e in context.cluster.healthy() if e.facts and e.facts.arch), "")
    kernels = [str(e.facts.info.common.fields.get("KernelVersion") or "") for e in context.cluster.healthy() if e.facts]
    details = {
        "ApiVersion": api,
        "MinAPIVersion": OLDEST_TEXT,
        "Os": _ostype(context.cluster),
        "Arch": arch,
        "KernelVersion": most_common(kernels) if kernels else "",
        "GitCommit": "",
        "GoVersion": "",
        "BuildTime": "",
    }
    return Reply.json(
        {
            "Platform": {"Name": "machine swarm"},
            "Components": [{"Name": "Engine", "Version": NAME, "Details": {**details, "Experimental": "false"}}],
            "Version": NAME,
            **details,
        }
    )


@HANDLERS.handles("GET", "/events")
async def watch(context: ManagerContext, request: Request) -> Reply:
    """Fan-in of all engines' events, each marked with its node; `since` and `until` as the engine takes them."""
    filters = request.filters()
    now = time.time()
    since, until = _parse_time(request.query_value("since"), now), _parse_time(request.query_value("until"), now)
    return Reply(200, (JSON,), _events(context, filters, since, until))


async def _events(
    context: ManagerContext, filters: dict[str, list[str]], since: float | None, until: float | None
) -> AsyncIterator[bytes]:
    live = context.cluster.subscribers.listen(filters)
    following = asyncio.ensure_future(anext(live, None))
    try:
        await asyncio.sleep(0)  # so that the live stream is open before the past is asked for
        if since is not None:
            for event in await _past(context, since, min(until or time.time(), time.time())):
                if events.passes(event, filters):
                    yield events.encode(event)
        elif until is None:
            yield b""
        while until is None or time.time() < until:
            wait = None if until is None else max(until - time.time(), 0)
            done, _ = await asyncio.wait((following,), timeout=wait)
            if not done:
                return
            encoded = following.result()
            if encoded is None:
                return
            yield encoded
            following = asyncio.ensure_future(anext(live, None))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await live.aclose()  # type: ignore[attr-defined]  # it is a generator


async def _past(context: ManagerContext, since: float, until: float) -> list[dict[str, Any]]:
    query = {"since": [f"{since:.9f}"], "until": [f"{until:.9f}"]}

    async def ask(engine: Engine) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(limits.ENGINE_SILENT_SECONDS):
                found = await engine.past_events(query)
        except TimeoutError:
            raise ApiError(504, f"{engine.name} did not send its past events in time") from None
        return [mark_event(event, engine.node_info) for event in found if context.cluster.is_own_event(engine, event)]

    answers = (await context.broadcast(context.cluster.healthy(), ask)).values()
    found = [event for answer in answers if not isinstance(answer, ApiError) for event in answer]
    return sorted(found, key=lambda event: event.get("timeNano") or 0)


@HANDLERS.handles("GET", "/system/df")
async def disk(context: ManagerContext, request: Request) -> Reply:
    """The engines' disk usage in one: sizes added up, what they have listed as in the other lists."""
    answers = await context.values(context.cluster.healthy(), request)
    shared = shared_names(engine.volumes for engine in context.cluster.healthy())
    return Reply.json(merge_disk_usage(by_node(answers), shared, always_qualified=False))


@HANDLERS.default_for_kind("registry")
async def any_engine(context: ManagerContext, request: Request) -> Reply:
    """What a registry is asked through whatever engine; another one is asked when that cannot be reached."""
    return await first_answer(context.cluster.healthy() or [context.cluster.any_healthy()], request)


@HANDLERS.handles("GET", "/plugins")
async def plugins(context: ManagerContext, request: Request) -> Reply:
    """The plugins of all engines, each name once."""
    answers = await context.values(context.cluster.healthy(), request)
    return Reply.json(merge_plugins(by_node(answers)))


def _ostype(cluster: Cluster) -> str:
    return next((e.facts.ostype for e in cluster.engines.values() if e.reachable and e.facts), "") or "linux"


def _all_build(cluster: Cluster) -> bool:
    return api_of(cluster.api()) >= BUILDKIT


def _parse_time(text: str, now: float) -> float | None:
    """Seconds since 1970: a number as the engine takes it; None without one.

    Raises ApiError(400) if it is no time near now.
    """
    if text in ("", "0"):
        return None
    try:
        when = float(text)
    except ValueError:
        raise ApiError(400, f"{text!r} is not a time in seconds since 1970") from None
    if not -1e12 < when < 1e12:
        raise ApiError(400, f"{text!r} is not a time near {now:.0f}")
    return when
