"""`ps`: containers from memory, chosen by a client's filters. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

from machine.swarm.cluster import Container
from machine.swarm.cluster.container import UP
from machine.swarm.cluster.index import Index
from machine.swarm.manager.routes import list_filters
from machine.swarm.parsing.booleans import FILTER_TRUE
from machine.swarm.parsing.image_name import familiar
from machine.swarm.pipeline import JSON, ApiError, Reply
from machine.swarm.resolve import Ambiguous
from machine.swarm.scheduler.expressions import BadExpression, pattern

ENTRIES_PER_PIECE = 500  # entries of one piece
_BY_STATUS = ("exited", "health")
_PLAIN = re.compile(r"[\w-]+\Z")
Test = Callable[[Container], bool]
FilteredIds = Mapping[Any, frozenset[str]]  # engine -> ids of its containers that pass what only an engine knows well
ENGINE_FILTERS = ("ancestor", "expose", "isolation", "network", "publish", "volume")  # better known to the engines


def choose(
    index: Index[Container],
    filters: Mapping[str, Sequence[str]],
    *,
    every: bool,
    limit: int = 0,
    engine_answers: FilteredIds | None = None,
) -> list[Container]:
    """The containers that pass, newest first. Raises ApiError(400) for a filter that does not exist or makes no sense.

    `engine_answers` has the ids that engines give for the filters in ENGINE_FILTERS; those of the others are worked out
    from what is remembered. A filter by status means all containers, as dockerd has it.
    """
    list_filters.check(filters)
    every = every or limit > 0 or bool(filters.get("status"))
    part = _name_part(filters)
    chosen = index.with_name_part(part) if part else index.newest_first()
    if not every:
        chosen = [c for c in chosen if c.state in UP and c.engine.reachable and not _is_swarm(c)]
    for name, values in filters.items():
        if name in _BY_STATUS:
            index.freshen(chosen)
        if values and not (part and name == "name"):
            test = _test(name, values, index)
            if engine_answers and name in ENGINE_FILTERS:
                test = _prefer_engine_answer(engine_answers, test)
            chosen = [c for c in chosen if test(c)]
    chosen = chosen[:limit] if limit > 0 else chosen
    index.freshen(chosen)
    return chosen


def _name_part(filters: Mapping[str, Sequence[str]]) -> str:
    """The value of a filter by name if it is the only one and no expression; else ""."""
    values = filters.get("name") or ()
    return values[0] if len(values) == 1 and _PLAIN.match(values[0]) else ""


def _prefer_engine_answer(engine_answers: FilteredIds, otherwise: Test) -> Test:
    """What its engine says of a container; worked out for one whose engine has said nothing."""

    def test(container: Container) -> bool:
        ids = engine_answers.get(container.engine)
        return otherwise(container) if ids is None else container.id in ids

    return test


def reply(containers: Sequence[Container], older: Collection[tuple[str, str]] = ()) -> Reply:
    """The JSON array of their entries; a long one in pieces, for tens of megabytes at once cost more than to make.

    `older` has (tag, image id) of images whose tag means another image now: their containers show the id, as an
    engine shows it.
    """
    entries = _entries(containers, older) if older else [c.entry for c in containers]
    if len(entries) <= ENTRIES_PER_PIECE:
        return Reply(200, (JSON,), b"[" + b",".join(entries) + b"]")
    size = sum(map(len, entries)) + len(entries) + 1
    return Reply(200, (JSON, (b"content-length", b"%d" % size)), _pieces(entries))


def _entries(containers: Sequence[Container], older: Collection[tuple[str, str]]) -> list[bytes]:
    ids = frozenset(identity for _, identity in older)
    return [
        _by_id(c) if c.image_id in ids and (familiar(c.image), c.image_id) in older else c.entry for c in containers
    ]


def _by_id(container: Container) -> bytes:
    entry = {**container.value(), "Image": container.image_id}
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


async def _pieces(entries: list[bytes]) -> AsyncIterator[bytes]:
    before = b"["
    for start in range(0, len(entries), ENTRIES_PER_PIECE):
        yield before + b",".join(entries[start : start + ENTRIES_PER_PIECE])
        before = b","
    yield b"]"


def _is_swarm(container: Container) -> bool:
    return container.image.partition(":")[0] == "swarm"


def _test(name: str, values: Sequence[str], index: Index[Container]) -> Test:  # noqa: PLR0911 (a table of them)
    if name == "name":
        return _name_test(values)
    if name == "label":
        pairs = [value.partition("=") for value in values]
        return lambda c: all(k in c.labels and (not eq or c.labels[k] == v) for k, eq, v in pairs)
    if name == "status":
        states = frozenset(values)
        return lambda c: c.state in states and (c.engine.reachable or c.state not in UP)  # lost: nobody knows
    if name == "node":
        nodes = frozenset(values)
        return lambda c: not nodes.isdisjoint((c.engine.name, c.engine.id, c.engine.address))
    if name == "id":
        return lambda c: any(c.id.startswith(value) for value in values)
    if name == "ancestor":
        return lambda c: any(_descends(c, value) for value in values)
    if name in ("before", "since"):
        return _order_test(name, values[0], index)
    if name == "is-task":
        tasks = any(value in FILTER_TRUE for value in values)
        return lambda c: (list_filters.TASK in c.labels) is tasks
    if name == "isolation":
        return lambda _: True
    return lambda c: _detail(name, values, c)


def _name_test(values: Sequence[str]) -> Test:
    """Regular expressions, found anywhere in a name, with or without its slash; as the name itself if they are none."""
    patterns = []
    for value in values:
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError):
            continue
        try:
            patterns.append(pattern(f"/{value}/"))  # in linear time, so that it stalls nobody
        except BadExpression as error:
            raise ApiError(400, f"invalid filter 'name': {error}") from error

    def test(container: Container) -> bool:
        names = [form for n in container.names for form in (n, f"/{n}", f"/{container.engine.name}/{n}")]
        return any(found.search(name) for found in patterns for name in names) or not set(names).isdisjoint(values)

    return test


def _descends(container: Container, image: str) -> bool:
    """Whether it was made from that image; what the image itself was made from only its engine knows."""
    found = container.engine.image_table.find(image)
    return container.image_id in found or (not found and familiar(container.image) == familiar(image))


def _order_test(name: str, text: str, index: Index[Container]) -> Test:
    """Made before or since another one: by their order in the list, for seconds are too coarse."""
    try:
        other = index.find(text)
    except Ambiguous as error:
        raise ApiError(404, f"No such container: {error}") from error
    if other is None:
        raise ApiError(404, f"No such container: {text}")
    order = index.newest_first()
    place = order.index(other)
    matching = frozenset(order[place + 1 :] if name == "before" else order[:place])
    return lambda c: c in matching


def _detail(name: str, values: Sequence[str], container: Container) -> bool:
    """Filters that are asked too seldom to remember anything for them: read in the entry."""
    entry = container.value()
    if name == "exited":
        return any(str(entry.get("Status")).startswith(f"Exited ({value})") for value in values)
    if name == "health":
        return _health(str(entry.get("Status"))) in values
    if name == "volume":
        mounts = entry.get("Mounts") or ()
        return any(value in (m.get("Name"), m.get("Destination"), m.get("Source")) for m in mounts for value in values)
    if name == "network":
        networks = (entry.get("NetworkSettings") or {}).get("Networks") or {}
        named = {n.rpartition("/")[2] for n in values}
        return any(key in named or (net or {}).get("NetworkID") in named for key, net in networks.items())
    key = "PublicPort" if name == "publish" else "PrivatePort"
    return any(_has_port(entry.get("Ports") or (), key, value) for value in values)


def _health(status: str) -> str:
    for word, text in (("healthy", "(healthy)"), ("unhealthy", "(unhealthy)"), ("starting", "(health: starting)")):
        if status.endswith(text):
            return word
    return "none"


def _has_port(ports: Sequence[Mapping[str, Any]], key: str, expression: str) -> bool:
    port_range = list_filters.ports(expression)
    if port_range is None:
        return False
    first, last, protocol = port_range
    return any(
        port.get(key) and first <= port[key] <= last and (port.get("Type") or "tcp") == protocol for port in ports
    )
