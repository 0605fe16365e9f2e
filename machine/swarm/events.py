"""Engines' events: cut out of a stream, marked with their node, chosen by a client's filters. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from machine.swarm import limits
from machine.swarm.api import bounded_json
from machine.swarm.api.shapes import COUNT, anything, mapping, record
from machine.swarm.merge.events import mark_event
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.parsing.image_name import without_tag

CLUSTER_EVENT = "swarm"  # the type of events of the cluster itself, which no engine tells
WITHOUT_END = 16 << 10  # bytes of an object that is looked for without a line end, as old engines send them

# what an event changes of what is remembered; container events not named here change nothing
_CONTAINER_ACTIONS = frozenset(("create", "start", "die", "rename", "pause", "unpause", "update", "restart"))


_OBJECTS = ("container", "volume", "network", "daemon", "plugin", "config", "secret", "service")  # by id or name


def check(event: Any) -> None:
    """Raises WrongShape if that is no event."""
    _EVENT(event)


_EVENT = record(
    {
        "Type": str, "Action": str, "status": str, "id": str, "from": str, "scope": str, "time": COUNT,
        "timeNano": COUNT, "Actor": record({"ID": str, "Attributes": mapping(str)}), "node": anything,
    }
)  # fmt: skip


_PODMAN_ALIASES = {"died": "die", "remove": "destroy"}  # what podman 4.3 and newer call these events of a container


def normalize(event: dict[str, Any]) -> dict[str, Any]:
    """An event of a container with Docker's word for what happened."""
    action = event.get("Action") or event.get("status")
    word = _PODMAN_ALIASES.get(str(action))
    if word is None or (event.get("Type") or "container") != "container":
        return event
    return {**event, **{key: word for key in ("Action", "status") if event.get(key) == action}}


def subjects(event: Mapping[str, Any]) -> set[str]:
    """The ids of the containers that an event says something of."""
    if (event.get("Type") or "container") != "container":
        return set()
    return {str(key) for key in ((event.get("Actor") or {}).get("ID"), event.get("id")) if key}


class JsonStream:
    """The reader of a stream of JSON objects, one per line or one after the other. Feed it bytes in any pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # bytes of the rest in which no line ends

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The objects that are whole now. Raises ValueError if the stream is something else, or one is too long."""
        self._buffer += data
        objects: list[dict[str, Any]] = []
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            objects += _objects(bytes(self._buffer[:end]))
            del self._buffer[: end + 1]
            self._searched = 0
        self._searched = len(self._buffer)
        if self._buffer.endswith(b"}") and len(self._buffer) <= WITHOUT_END:
            try:
                objects += _objects(bytes(self._buffer))
                self._buffer.clear()
                self._searched = 0
            except ValueError:
                pass  # a brace inside an object that is not whole yet
        if len(self._buffer) > limits.EVENT_ONE:
            raise ValueError(f"an event of more than {limits.EVENT_ONE} bytes")
        return objects


def read_events(lines: JsonStream, data: bytes) -> list[dict[str, Any]]:
    """Return the events that are whole with these bytes, in Docker's words. Raises ValueError if they are none."""
    found = lines.feed(data)
    for event in found:
        check(event)
    return [normalize(event) for event in found]


class Effect(NamedTuple):
    """What to look at again after an event: a container's id, or a kind of object.

    `gone` = it is no more; `ended` = it does not run any more, though the engine's list may not say so yet.
    """

    kind: str  # container, image, network, volume, daemon
    id: str = ""
    gone: bool = False
    created: bool = False
    ended: bool = False


def effect(event: Mapping[str, Any]) -> Effect | None:
    """What an event changes; None = nothing that is remembered."""
    actor = event.get("Actor") or {}
    kind = str(event.get("Type") or "container")
    action = str(event.get("Action") or event.get("status") or "")
    key = str(actor.get("ID") or event.get("id") or "")
    if kind == "container":
        if action == "destroy":
            return Effect(kind, key, gone=True)
        if action in _CONTAINER_ACTIONS or action.startswith("health_status"):
            return Effect(kind, key, created=action == "create", ended=action == "die")
        return None
    if kind == "network" and action in ("connect", "disconnect"):
        container = str((actor.get("Attributes") or {}).get("container") or "")
        return Effect("container", container) if container else None
    if kind == "volume" and action in ("mount", "unmount"):
        return None
    return Effect(kind, key) if kind in ("image", "network", "volume", "daemon") else None


def own(action: str, node: NodeInfo, now: float) -> dict[str, Any]:
    """An event about an engine itself: engine_connect, engine_disconnect, engine_reconnect, engine_removed."""
    event = {
        "status": action,
        "id": node.id,
        "from": CLUSTER_EVENT,
        "Type": CLUSTER_EVENT,
        "Action": action,
        "Actor": {"ID": node.id, "Attributes": {}},
        "time": int(now),
        "timeNano": int(now * 1e9),
    }
    return mark_event(event, node)


def encode(event: Mapping[str, Any]) -> bytes:
    """An event as the line that a client gets."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def passes(event: Mapping[str, Any], filters: Mapping[str, Sequence[str]]) -> bool:
    """Whether an event is one of those asked for: values of one filter are alternatives, filters add up.

    A filter that does not exist is passed over, as dockerd does it.
    """
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    seen = _Seen(
        str(event.get("Type") or "container"),
        str(event.get("Action") or event.get("status") or ""),
        str(actor.get("ID") or event.get("id") or ""),
        str(event.get("scope") or "local"),
        attributes,
    )
    return all(_passes(seen, filter_, values) for filter_, values in filters.items() if values)


class _Seen(NamedTuple):
    """What filters look at."""

    kind: str
    action: str
    id: str
    scope: str
    attributes: Mapping[str, Any]


def _passes(event: _Seen, filter_: str, values: Sequence[str]) -> bool:  # noqa: PLR0911 (a table of them)
    attributes = event.attributes
    if filter_ == "type":
        return event.kind in values
    if filter_ in ("event", "action"):
        return any(event.action == value or event.action.startswith(value + ":") for value in values)
    if filter_ == "label":
        return all(_has_labels(attributes, value) for value in values)
    if filter_ == "node":
        return bool({attributes.get("node.name"), attributes.get("node.id")} & set(values))
    if filter_ == "image":
        name = str(attributes.get("name" if event.kind == "image" else "image") or "")
        return not {event.id, name, without_tag(name), without_tag(event.id)}.isdisjoint(values)
    if filter_ in _OBJECTS:
        names = [event.id, str(attributes.get("name") or "")]
        names += [f"{attributes.get('node.name')}/{name}" for name in names]
        return event.kind == filter_ and any(name.startswith(value) for name in names for value in values)
    return event.scope in values if filter_ == "scope" else True


def _has_labels(attributes: Mapping[str, Any], text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in attributes and (not equals or attributes[key] == value)


def _objects(data: bytes) -> list[dict[str, Any]]:
    if len(data) > limits.EVENT_ONE:
        raise ValueError(f"an event of more than {limits.EVENT_ONE} bytes")
    found = bounded_json.read_several(data, limits.EVENT_VALUES)
    for value in found:
        if not isinstance(value, dict):
            raise ValueError("an event that is no object")  # noqa: TRY004 (the stream is wrong, not the caller)
    return found
