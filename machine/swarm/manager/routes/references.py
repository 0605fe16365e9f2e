"""Names that a create's body gives for what exists in the cluster: made into names that one engine understands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from machine.swarm.cluster.index import Ambiguous
from machine.swarm.manager.routes.context import Desk
from machine.swarm.scheduler.placement_request import Want

MODES = ("NetworkMode", "PidMode", "IpcMode")
Pin = tuple[str, str]  # a node, and what was given as NODE/NAME without its NODE/


def take_nodes_off(desk: Desk, body: dict[str, Any]) -> list[Pin]:
    """Take NODE/ off names of networks, volumes and containers, in place; the nodes that they name, and the names.

    Everything else stays as the client wrote it, for it is what an inspect shows afterwards.
    """
    host = body.get("HostConfig") or {}
    pins = _modes(desk, host) + _mounts(desk, host)
    for key in ("VolumesFrom", "Links"):
        if host.get(key):
            host[key] = [_reference(desk, str(text)) for text in host[key]]
    networks = (body.get("NetworkingConfig") or {}).get("EndpointsConfig")
    if networks:
        found = {_split(desk, desk.moved.get(key, key)): settings for key, settings in networks.items()}
        body["NetworkingConfig"]["EndpointsConfig"] = {key: settings for (_, key), settings in found.items()}
        pins += list(found)
    return [(node, name) for node, name in pins if node]


def beside(desk: Desk, asked: Want) -> Want:
    """The want with its references to containers as full ids, as far as they are known."""
    if not asked.beside:
        return asked
    return replace(
        asked,
        volumes_from=tuple(_id(desk, name) for name in asked.volumes_from),
        links=tuple(_id(desk, name) for name in asked.links),
        net_container=_id(desk, asked.net_container),
        pid_container=_id(desk, asked.pid_container),
        ipc_container=_id(desk, asked.ipc_container),
    )


def _modes(desk: Desk, host: dict[str, Any]) -> list[Pin]:
    pins = []
    for key in MODES:
        mode = str(host.get(key) or "")
        kind, colon, other = mode.partition(":")
        if kind == "container" and colon:
            host[key] = f"container:{_reference(desk, other)}"
        elif key == "NetworkMode" and mode:
            node, host[key] = _split(desk, desk.moved.get(mode, mode))
            pins.append((node, host[key]))
    return pins


def _mounts(desk: Desk, host: dict[str, Any]) -> list[Pin]:
    pins = []
    if host.get("Binds"):
        split = [_split(desk, str(bind)) for bind in host["Binds"]]
        host["Binds"] = [bind for _, bind in split]
        pins += [(node, bind.partition(":")[0]) for node, bind in split]
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "volume" and mount.get("Source"):
            node, mount["Source"] = _split(desk, str(mount["Source"]))
            pins.append((node, mount["Source"]))
    return pins


def _split(desk: Desk, text: str) -> Pin:
    """`NODE/rest` as (NODE, rest) if there is such a node, else ("", text)."""
    node, slash, rest = text.partition("/")
    if slash and node and rest and desk.cluster.engine(node):
        return node, rest
    return "", text


def _reference(desk: Desk, text: str) -> str:
    """NAME[:MORE] of a container as its engine understands it: as given, or else its id."""
    name, colon, more = text.partition(":")
    node, rest = _split(desk, name.lstrip("/"))
    if node:
        return f"{rest}{colon}{more}"
    known = _id(desk, name)
    container = desk.cluster.index.find(known) if known != name else None
    if container is None or name.lstrip("/") in container.names or container.id.startswith(name):
        return text
    return f"{known}{colon}{more}"


def _id(desk: Desk, name: str) -> str:
    """The id of the container called so; the name if there is none, or several."""
    try:
        found = desk.cluster.index.find(name)
    except Ambiguous:
        return name
    return found.id if found else name
