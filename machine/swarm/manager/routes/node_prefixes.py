"""Names that a create's body gives for what exists in the cluster: made into names that one engine understands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.resolve import Ambiguous, split_node
from machine.swarm.scheduler.placement_request import PlacementRequest

MODES = ("NetworkMode", "PidMode", "IpcMode")
Pin = tuple[str, str]  # a node, and what was given as NODE/NAME without its NODE/


def strip_node_prefixes(context: ManagerContext, body: dict[str, Any]) -> list[Pin]:
    """Take NODE/ off names of networks, volumes and containers, in place; the nodes that they name, and the names.

    Everything else stays as the client wrote it, for it is what an inspect shows afterwards.
    """
    host = body.get("HostConfig") or {}
    pins = _modes(context, host) + _mounts(context, host)
    for key in ("VolumesFrom", "Links"):
        if host.get(key):
            host[key] = [_reference(context, str(text)) for text in host[key]]
    networks = (body.get("NetworkingConfig") or {}).get("EndpointsConfig")
    if networks:
        found = {
            split_node(context.replaced_network_ids.get(key, key), context.cluster.engine): settings
            for key, settings in networks.items()
        }
        body["NetworkingConfig"]["EndpointsConfig"] = {key: settings for (_, key), settings in found.items()}
        pins += list(found)
    return [(node, name) for node, name in pins if node]


def resolve_colocated(context: ManagerContext, placement: PlacementRequest) -> PlacementRequest:
    """The placement with its references to containers as full ids, as far as they are known."""
    if not placement.colocate_with:
        return placement
    return replace(placement, colocate_with=tuple(_id(context, name) for name in placement.colocate_with))


def _modes(context: ManagerContext, host: dict[str, Any]) -> list[Pin]:
    pins = []
    for key in MODES:
        mode = str(host.get(key) or "")
        kind, colon, other = mode.partition(":")
        if kind == "container" and colon:
            host[key] = f"container:{_reference(context, other)}"
        elif key == "NetworkMode" and mode:
            node, host[key] = split_node(context.replaced_network_ids.get(mode, mode), context.cluster.engine)
            pins.append((node, host[key]))
    return pins


def _mounts(context: ManagerContext, host: dict[str, Any]) -> list[Pin]:
    pins = []
    if host.get("Binds"):
        split = [split_node(str(bind), context.cluster.engine) for bind in host["Binds"]]
        host["Binds"] = [bind for _, bind in split]
        pins += [(node, bind.partition(":")[0]) for node, bind in split]
    for mount in host.get("Mounts") or ():
        if mount.get("Type") == "volume" and mount.get("Source"):
            node, mount["Source"] = split_node(str(mount["Source"]), context.cluster.engine)
            pins.append((node, mount["Source"]))
    return pins


def _reference(context: ManagerContext, text: str) -> str:
    """NAME[:MORE] of a container as its engine understands it: as given, or else its id."""
    name, colon, more = text.partition(":")
    node, plain_name = split_node(name.lstrip("/"), context.cluster.engine)
    if node:
        return f"{plain_name}{colon}{more}"
    known = _id(context, name)
    container = context.cluster.index.find(known) if known != name else None
    if container is None or name.lstrip("/") in container.names or container.id.startswith(name):
        return text
    return f"{known}{colon}{more}"


def _id(context: ManagerContext, name: str) -> str:
    """The id of the container called so; the name if there is none, or several."""
    try:
        found = context.cluster.index.find(name)
    except Ambiguous:
        return name
    return found.id if found else name
