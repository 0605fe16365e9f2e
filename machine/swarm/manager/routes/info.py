"""GET /info: the engines as one, and a row for each."""

from __future__ import annotations

import json
import time
from operator import attrgetter, is_
from typing import Any, NamedTuple

from machine.swarm.cluster import Engine
from machine.swarm.cluster.facts import EngineFacts, api_of
from machine.swarm.cluster.health import Health
from machine.swarm.manager.routes.context import ManagerContext, MergedInfo
from machine.swarm.manager.routes.system import NAME
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.info import NO_SWARM_MODE, merge_info
from machine.swarm.pipeline import JSON, Reply, Request


@HANDLERS.handles("GET", "/info")
async def info(context: ManagerContext, request: Request) -> Reply:
    """Answer from memory: sums, what most engines say of themselves, and in SystemStatus a table of the engines."""
    cluster = context.cluster
    engines = sorted(cluster.engines.values(), key=_ORDER)
    up = [e for e in engines if e.reachable]
    for engine in engines:
        if engine.summary is None:
            engine.summary = Summary.of(engine)
    running, paused, stopped = map(sum, zip((0, 0, 0), *[e.summary.counts for e in up], strict=True))
    own = {
        "ID": "",
        "Containers": running + paused + stopped,
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": stopped,
        "Images": len(set().union(*[e.image_table.ids for e in up])),
        "NCPU": sum(map(_CPUS, up)),
        "MemTotal": sum(map(_MEMORY, up)),
        "Name": "swarm",
        "ServerVersion": NAME,
        "SystemTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Debug": context.debug,
        "Swarm": NO_SWARM_MODE,
        "Labels": [],
        "SystemStatus": _ROWS_PLACEHOLDER,
    }
    if _has_old_api(request):
        own["DriverStatus"] = _ROWS_PLACEHOLDER
    merged = _merge_infos(context, [e.facts for e in up if e.facts])
    text = merged.text
    if own.keys() & merged.value.keys():
        text = _json({key: value for key, value in merged.value.items() if key not in own})
    rows = [_json(_heading(context, len(engines)))[1:-1], *[engine.summary.rows for engine in engines]]
    rows[0] = b"[" + rows[0]
    rows[-1] += b"]"  # which is the same one while there are no engines
    around = _json(own).split(b'"%s"' % _ROWS_PLACEHOLDER.encode())  # engines may say these words, too
    around[0] = text[:-1] + b"," + around[0][1:]
    return Reply(200, (JSON,), b",".join(rows).join(around))  # long: copied twice only


def _merge_infos(context: ManagerContext, facts: list[EngineFacts]) -> MergedInfo:
    """The engines' own infos as one; worked out again when one of them says something else."""
    merged = context.merged_info
    if merged is None or len(merged.facts) != len(facts):
        merged = None
    elif all(map(is_, merged.facts, facts)):
        return merged  # nearly always
    elif any(map(_differ, merged.facts, facts)):
        merged = None
    if merged is None:
        value = merge_info([(engine_facts.name, engine_facts.info) for engine_facts in facts])
        merged = MergedInfo(facts, value, _json(value))
    context.merged_info = merged._replace(facts=facts)
    return context.merged_info


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _differ(first: EngineFacts, second: EngineFacts) -> bool:
    return first.info is not second.info or first.name != second.name


class Summary(NamedTuple):
    """An engine's part of `info`: running, paused and other containers; its rows as JSON without the outer brackets."""

    counts: tuple[int, int, int]
    rows: bytes

    @classmethod
    def of(cls, engine: Engine) -> Summary:
        """The summary of an engine as it is now."""
        states = [c.state for c in engine.containers.values()]
        running, paused = states.count("running") + states.count("restarting"), states.count("paused")
        counts = (running, paused, len(states) - running - paused)
        return cls(counts, json.dumps(_rows(engine, counts), separators=(",", ":")).encode()[1:-1])


_ORDER = attrgetter("node.name", "address")  # there may be a thousand engines: read by C, in a third of the time
_CPUS, _MEMORY = attrgetter("node.cpus"), attrgetter("node.memory")
_ROWS_PLACEHOLDER = "the rows of the table of engines"  # replaced by them once the rest is JSON


def _heading(context: ManagerContext, count: int) -> list[list[str]]:
    settings = context.cluster.settings
    first = [["Role", context.role]]
    if context.role == "replica":
        first.append(["Primary", context.primary or "none"])
    return [*first, ["Strategy", settings.strategy], ["Filters", ", ".join(settings.filters)], ["Nodes", str(count)]]


def _rows(engine: Engine, counts: tuple[int, int, int]) -> list[list[str]]:
    facts, node = engine.facts, engine.node
    detail = " ({} Running, {} Paused, {} Stopped)".format(*counts)
    used_cpus, used_memory = node.used
    rows = [
        ["ID", engine.id],
        ["Status", str(engine.health.state)],
        ["Containers", f"{sum(counts)}{detail if engine.health.state is Health.HEALTHY else ''}"],
        ["Reserved CPUs", f"{used_cpus} / {node.cpus}"],
        ["Reserved Memory", f"{size(used_memory)} / {size(node.memory)}"],
        ["Labels", ", ".join(f"{k}={v}" for k, v in sorted(node.labels.items()))],
    ]
    if error := engine.health.error or ("" if facts else "not reached yet"):
        rows.append(["Error", error])
    rows += [["UpdatedAt", _stamp(engine.updated)], ["ServerVersion", facts.version if facts else ""]]
    return [[f" {engine.name}", engine.address], *_indent(rows)]


def _indent(rows: list[list[str]]) -> list[list[str]]:
    return [[f"  └ {key}", value] for key, value in rows]


def size(count: int) -> str:
    """A number of bytes as text, as classic Swarm writes it: 4 significant digits, binary units."""
    number, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    return f"{number:.4g} {units[0]}"


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def _has_old_api(request: Request) -> bool:
    """Whether the client's API is older than 1.22: it shows the table only in DriverStatus."""
    return bool(request.version) and api_of(request.version) < (1, 22)
