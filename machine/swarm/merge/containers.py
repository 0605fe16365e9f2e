"""Containers of several engines in one list, and one container's inspect with the node that it is on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from machine.swarm.api.scope import ANY_ADDRESS
from machine.swarm.merge.node_info import Answers, Json, NodeInfo
from machine.swarm.merge.values import list_of, number, objects


def merge_containers(answers: Answers, *, always_qualified: bool, limit: int = 0) -> list[Json]:
    """Return the containers of GET /containers/json of all engines, newest first, at most `limit` if that is positive.

    A name is /NODE/NAME where several engines have a container of that name, else /NAME; with `always_qualified` it is
    both then, so that a reader of the list sees the node, and aliases that links have made are left out, for they look
    like names of that form.
    """
    entries = [(node, entry) for node, items in answers for entry in objects(items)]
    count = Counter(name for _, entry in entries for name in _own_names(entry))
    entries.sort(key=lambda pair: number(pair[1].get("Created")), reverse=True)
    return [_entry(node, entry, count, always_qualified) for node, entry in (entries[:limit] if limit > 0 else entries)]


def _entry(node: NodeInfo, entry: Json, count: Counter[str], always_qualified: bool) -> Json:
    own = _own_names(entry)
    unique = all(count[name] == 1 for name in own)
    plain = [f"/{name}" for name in (own[:1] if always_qualified else _names(entry))]
    qualified = [f"/{node.name}{name}" for name in plain]
    names = [*(plain if unique else ()), *(qualified if always_qualified or not unique else ())]
    return {**entry, "Names": names, "Ports": _at_node(node, objects(entry.get("Ports")), "IP")}


def _names(entry: Json) -> list[str]:
    return [str(name).lstrip("/") for name in list_of(entry.get("Names"))]


def _own_names(entry: Json) -> list[str]:
    """A container's own names; "other/alias" is one that a link has given it."""
    return [name for name in _names(entry) if "/" not in name]


def _at_node(node: NodeInfo, ports: list[Json], key: str) -> list[Json]:
    """What is published at all of the engine's addresses is published at its `ip` to clients; each once."""
    if not node.ip:
        return ports
    at_node = [{**port, key: node.ip} if port.get(key) in ANY_ADDRESS else port for port in ports]
    return [port for number, port in enumerate(at_node) if port not in at_node[:number]]


def inspected(node: NodeInfo, container: Json) -> Json:
    """Return an answer to GET /containers/X/json with its node, and published ports at the node's address."""
    settings: Any = container.get("NetworkSettings")
    if isinstance(settings, dict) and isinstance(settings.get("Ports"), dict):
        ports = {key: _at_node(node, objects(at), "HostIp") if at else at for key, at in settings["Ports"].items()}
        container = {**container, "NetworkSettings": {**settings, "Ports": ports}}
    return {**container, "Node": node.described()}
