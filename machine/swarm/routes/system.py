"""Routes about the cluster as a whole: ping, version, info, events, disk usage; and those any engine can answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from machine import __version__
from machine.swarm.chain import JSON, Refused, Reply, Request
from machine.swarm.cluster import Cluster, Engine, events
from machine.swarm.cluster.facts import OLDEST, api_of
from machine.swarm.cluster.health import Health
from machine.swarm.routes.desk import Desk
from machine.swarm.routes.table import TABLE

NAME = f"swarm/{__version__}"
BUILDKIT = (1, 42)  # engines of this API and newer build with BuildKit unless told otherwise
OLDEST_TEXT = f"{OLDEST[0]}.{OLDEST[1]}"


@TABLE.at("GET HEAD", "/_ping")
async def ping(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """Local. The headers tell a client which version to speak and how to build."""
    headers = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"api-version", desk.cluster.api().encode()),
        (b"ostype", _ostype(desk.cluster).encode()),
        (b"docker-experimental", b"false"),
        (b"builder-version", b"2" if _all_build(desk.cluster) else b"1"),
        (b"cache-control", b"no-cache, no-store, must-revalidate"),
        (b"server", NAME.encode()),
    )
    return Reply(200, headers, b"OK")


@TABLE.at("GET", "/version")
async def version(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """Local."""
    api = desk.cluster.api()
    arch = next((e.facts.arch for e in desk.cluster.healthy() if e.facts and e.facts.arch), "")
    details = {"ApiVersion": api, "MinAPIVersion": OLDEST_TEXT, "Os": _ostype(desk.cluster), "Arch": arch}
    return Reply.json(
        {
            "Platform": {"Name": "machine swarm"},
            "Components": [{"Name": "Engine", "Version": NAME, "Details": details}],
            "Version": NAME,
            **details,
            "GitCommit": "",
            "GoVersion": "",
            "BuildTime": "",
        }
    )


@TABLE.at("GET", "/info")
async def info(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """Local: sums, and a table of engines in SystemStatus."""
    cluster = desk.cluster
    engines = sorted(cluster.engines.values(), key=lambda e: (e.name, e.address))
    up = [e for e in engines if e.reachable]
    for engine in engines:
        if engine.summary is None:
            engine.summary = Summary.of(engine)
    running, paused, stopped = (sum(e.summary.counts[n] for e in up) for n in range(3))
    reply = Reply.json(
        {
            "ID": "",
            "Name": "swarm",
            "ServerVersion": NAME,
            "Containers": running + paused + stopped,
            "ContainersRunning": running,
            "ContainersPaused": paused,
            "ContainersStopped": stopped,
            "Images": len({image.get("Id") for e in up for image in e.images}),
            "NCPU": sum(e.node.cpus for e in up),
            "MemTotal": sum(e.node.memory for e in up),
            "SystemStatus": _ROWS,
            "DriverStatus": _ROWS if _old(request) else [],
            "Driver": "",
            "OSType": _ostype(cluster),
            "OperatingSystem": "linux",
            "Architecture": next((e.facts.arch for e in up if e.facts), ""),
            "KernelVersion": "",
            "SystemTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "NEventsListener": 0,
            "Debug": desk.debug,
            "MemoryLimit": True,
            "SwapLimit": True,
            "IPv4Forwarding": True,
            "Plugins": {"Volume": [], "Network": [], "Authorization": None, "Log": []},
            "Swarm": {"LocalNodeState": "inactive", "ControlAvailable": False},
            "Labels": [],
            "Warnings": None,
        }
    )
    heading = json.dumps(_heading(desk, len(engines)), separators=(",", ":")).encode()
    rows = b",".join([heading[1:-1], *(engine.summary.rows for engine in engines)])
    reply.body = (await reply.read()).replace(b'"%s"' % _ROWS.encode(), b"[" + rows + b"]")
    return reply


class Summary(NamedTuple):
    """An engine's part of `info`: running, paused and other containers; its rows as JSON without the outer brackets."""

    counts: tuple[int, int, int]
    rows: bytes

    @classmethod
    def of(cls, engine: Engine) -> Summary:
        """As the engine is now."""
        states = [c.state for c in engine.containers.values()]
        running, paused = states.count("running") + states.count("restarting"), states.count("paused")
        counts = (running, paused, len(states) - running - paused)
        return cls(counts, json.dumps(_rows(engine, counts), separators=(",", ":")).encode()[1:-1])


_ROWS = "the rows of the table of engines"  # stands for them until the rest is JSON


@TABLE.at("GET", "/events")
async def watch(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """Fan-in of all engines' events, each marked with its node; `since` and `until` as the engine takes them."""
    filters = request.filters()
    now = time.time()
    since, until = _when(request.arg("since"), now), _when(request.arg("until"), now)
    return Reply(200, (JSON,), _events(desk, filters, since, until))


async def _events(
    desk: Desk, filters: dict[str, list[str]], since: float | None, until: float | None
) -> AsyncIterator[bytes]:
    live = desk.cluster.listen()
    following = asyncio.ensure_future(anext(live, None))
    try:
        await asyncio.sleep(0)  # so that the live stream is open before the past is asked for
        if since is not None:
            for event in await _past(desk, since, min(until or time.time(), time.time())):
                if events.passes(event, filters):
                    yield events.encode(event)
        elif until is None:
            yield b""
        while until is None or time.time() < until:
            wait = None if until is None else max(until - time.time(), 0)
            done, _ = await asyncio.wait((following,), timeout=wait)
            if not done:
                return
            told = following.result()
            if told is None:
                return
            if events.passes(told, filters):
                yield events.encode(told)
            following = asyncio.ensure_future(anext(live, None))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await live.aclose()  # type: ignore[attr-defined]  # it is a generator


async def _past(desk: Desk, since: float, until: float) -> list[dict[str, Any]]:
    query = {"since": [f"{since:.9f}"], "until": [f"{until:.9f}"]}

    async def ask(engine: Engine) -> list[dict[str, Any]]:
        reply = await engine.ask(Request("GET", "/events").at("/events", query))
        if not reply.ok:
            await reply.value()
        try:
            found = events.Lines().feed(await reply.read() + b"\n")
        except ValueError as error:
            raise Refused(502, f"{engine.name}: {error}") from error
        return [events.mark(event, engine.shown()) for event in found]

    answers = (await desk.each(desk.cluster.healthy(), ask)).values()
    found = [event for answer in answers if not isinstance(answer, Refused) for event in answer]
    return sorted(found, key=lambda event: event.get("timeNano") or 0)


@TABLE.at("GET", "/system/df")
async def disk(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """The engines' disk usage in one."""
    answers = await desk.values(desk.cluster.healthy(), request)
    merged: dict[str, Any] = {"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}
    for engine, answer in answers.items():
        for key, value in answer.items():
            if isinstance(value, list):
                merged[key] = [*(merged.get(key) or []), *value]
            elif isinstance(value, int | float):
                merged[key] = (merged.get(key) or 0) + value
        for container in answer.get("Containers") or ():
            container["Names"] = [f"/{engine.name}/{n.lstrip('/')}" for n in container.get("Names") or ()]
    return Reply.json(merged)


@TABLE.at("POST", "/auth")
@TABLE.at("GET", "/images/search", "/distribution/{name}/json")
async def anyone(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """What a registry is asked through whatever engine."""
    return await desk.cluster.some().ask(request)


@TABLE.at("GET", "/plugins")
async def plugins(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """The plugins of all engines, each name once."""
    answers = await desk.values(desk.cluster.healthy(), request)
    return Reply.json(
        list({plugin.get("Name"): plugin for found in answers.values() for plugin in found or ()}.values())
    )


@TABLE.at("GET", "/images/viz")
async def viz(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """As classic Swarm."""
    return Reply.error(501, "Not supported in clustering mode.")


def _heading(desk: Desk, count: int) -> list[list[str]]:
    settings = desk.cluster.settings
    first = [["Role", desk.role]]
    if desk.role == "replica":
        first.append(["Primary", desk.primary or "none"])
    return [*first, ["Strategy", settings.strategy], ["Filters", ", ".join(settings.filters)], ["Nodes", str(count)]]


def _rows(engine: Engine, counts: tuple[int, int, int]) -> list[list[str]]:
    facts, node = engine.facts, engine.node
    if facts is None:
        rows = [["ID", ""], ["Status", str(engine.pulse.state)]]
        error = engine.pulse.error or "not reached yet"
        tail = [["Error", error], ["UpdatedAt", _stamp(engine.updated)], ["ServerVersion", ""]]
        return [[f" {engine.name}", engine.address], *_indented(rows + tail)]
    detail = " ({} Running, {} Paused, {} Stopped)".format(*counts)
    used_cpus, used_memory = node.used
    rows = [
        ["ID", engine.id],
        ["Status", str(engine.pulse.state)],
        ["Containers", f"{sum(counts)}{detail if engine.pulse.state is Health.HEALTHY else ''}"],
        ["Reserved CPUs", f"{used_cpus} / {node.cpus}"],
        ["Reserved Memory", f"{size(used_memory)} / {size(node.memory)}"],
        ["Labels", ", ".join(f"{k}={v}" for k, v in sorted(node.labels.items()))],
    ]
    if engine.pulse.error:
        rows.append(["Error", engine.pulse.error])
    rows += [["UpdatedAt", _stamp(engine.updated)], ["ServerVersion", facts.version]]
    return [[f" {engine.name}", engine.address], *_indented(rows)]


def _indented(rows: list[list[str]]) -> list[list[str]]:
    return [[f"  └ {key}", value] for key, value in rows]


def size(count: int) -> str:
    """Bytes as classic Swarm words them: 4 significant digits, binary units."""
    number, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    return f"{number:.4g} {units[0]}"


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def _ostype(cluster: Cluster) -> str:
    return next((e.facts.ostype for e in cluster.engines.values() if e.reachable and e.facts), "") or "linux"


def _all_build(cluster: Cluster) -> bool:
    return api_of(cluster.api()) >= BUILDKIT


def _old(request: Request) -> bool:
    """Clients before 1.22 show the table only in DriverStatus."""
    return bool(request.version) and api_of(request.version) < (1, 22)


def _when(text: str, now: float) -> float | None:
    """Seconds since 1970: a number as the engine takes it; None without one. Refused(400)."""
    if text in ("", "0"):
        return None
    try:
        when = float(text)
    except ValueError:
        raise Refused(400, f"{text!r} is not a time in seconds since 1970") from None
    if not -1e12 < when < 1e12:
        raise Refused(400, f"{text!r} is not a time near {now:.0f}")
    return when
