"""The list of all engines' containers: `before` and `since` hold over all of them, and the newest is the newest.

An entry's Created is in whole seconds. Where two engines made containers in the same second, they are asked which is
later: an inspect's Created has nanoseconds (https://docs.docker.com/reference/api/engine/, ContainerInspect).
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timezone
from typing import Any

from machine.swarm.merge.containers import merge_containers
from machine.swarm.parsing.target import build, filters
from machine.swarm.pipeline import ApiError, Request
from machine.swarmd.aggregate.lookup import Lookup
from machine.swarmd.aggregate.members import AggregateEngine, Members

BOUNDS = ("before", "since")
TIES = 200  # containers of one second whose order is asked for; beyond that each engine's own order stands

_WHOLE = re.compile(r"-?[0-9]{1,9}\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?\Z")


async def containers(members: Members, lookup: Lookup, request: Request) -> list[dict[str, Any]]:
    """Answer GET /containers/json.

    Raises ApiError(404) if there is no container as named by `before` or `since`, ApiError(400) for a limit that is no
    number.
    """
    limit = request.query_value("limit") or "0"
    if not _WHOLE.match(limit):
        raise ApiError(400, f"the argument limit must be a whole number, not {limit[:20]!r}")
    count = max(int(limit), 0)
    bounds = await _bounds(lookup, request)
    items_by_member = []
    for member, items in await members.get_json_from_all(
        _without_bounds(request, include_stopped=count > 0) if bounds else request
    ):
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                lookup.remember(str(item.get("Id")), member)
                items_by_member.append((member, item))
    order = await _order(items_by_member, bounds, ties=count > 0)
    later, earlier = bounds.get("since"), bounds.get("before")
    chosen = [
        (member, item)
        for member, item in items_by_member
        if (later is None or order[str(item.get("Id"))] > later)
        and (earlier is None or order[str(item.get("Id"))] < earlier)
    ]
    chosen.sort(key=lambda pair: order[str(pair[1].get("Id"))], reverse=True)
    return merge_containers(((member.node_info, [item]) for member, item in chosen), always_qualified=True, limit=count)


def nanoseconds(text: object) -> int:
    """Return an engine's time, such as 2026-01-02T03:04:05.678Z, in nanoseconds since 1970; 0 when it is none."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        return 0
    try:
        whole = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)  # noqa: UP017
    except ValueError:
        return 0
    return int(whole.timestamp()) * 10**9 + int((match[2] or "0").ljust(9, "0"))


async def _bounds(lookup: Lookup, request: Request) -> dict[str, int]:
    """When the containers were made that `before` and `since` name, in nanoseconds."""
    applied_filters = filters(request.query_value("filters"), ApiError)
    bounds = {}
    for key in BOUNDS:
        names = applied_filters.get(key) or [name for name in [request.query_value(key)] if name]
        if names:
            owner, local_id = await lookup.owner(names[0])
            bounds[key] = await _created_nanoseconds(owner, local_id)
    return bounds


def _without_bounds(request: Request, *, include_stopped: bool) -> Request:
    """The call without `before`, `since` and `limit`, which each engine could apply to its own only.

    `include_stopped` = it has a limit, which lists stopped containers too, as `all` does.
    """
    remaining_filters = {
        key: value for key, value in filters(request.query_value("filters"), ApiError).items() if key not in BOUNDS
    }
    query = {key: list(value) for key, value in request.query.items() if key not in (*BOUNDS, "limit", "filters")}
    if remaining_filters:
        query["filters"] = [json.dumps(remaining_filters)]
    if include_stopped:
        query["all"] = ["1"]
    return request.with_path(request.path, query)


async def _order(entries: list[Any], bounds: dict[str, int], *, ties: bool) -> dict[str, int]:
    """By id, when each container was made: nanoseconds where that decides something, else whole seconds as those."""
    seconds = {str(item.get("Id")): _seconds(item) for _, item in entries}
    by_second: dict[int, set[str]] = {}
    for member, item in entries:
        by_second.setdefault(_seconds(item), set()).add(member.name)
    close = {bound // 10**9 for bound in bounds.values()}
    close |= {second for second, engines in by_second.items() if ties and len(engines) > 1}
    close_entries = [(member, str(item.get("Id"))) for member, item in entries if _seconds(item) in close][:TIES]
    times = await asyncio.gather(*(_created_nanoseconds(member, identity) for member, identity in close_entries))
    order = {identity: second * 10**9 for identity, second in seconds.items()}
    order.update((identity, time) for (_, identity), time in zip(close_entries, times) if time)  # noqa: B905
    return order


async def _created_nanoseconds(member: AggregateEngine, identity: str) -> int:
    """When a container was made, in nanoseconds; 0 when its engine does not say."""
    try:
        found = await member.get_json(Request("GET", build("", f"/containers/{identity}/json")))
    except ApiError:
        return 0
    return nanoseconds(found.get("Created")) if isinstance(found, dict) else 0


def _seconds(entry: dict[str, Any]) -> int:
    created = entry.get("Created")
    return created if isinstance(created, int) and not isinstance(created, bool) else 0
