"""What the body of a create call refers to: containers, networks and volumes that exist, and its compose project. Pure.

https://docs.docker.com/reference/api/engine/, ContainerCreate. A body is a client's: what has a wrong type is left out
here, for the engine refuses it in its own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple

PROJECT = "com.docker.compose.project"  # the label that compose gives to all that it makes
BUILT_IN = frozenset(("", "default", "bridge", "host", "none", "nat"))  # modes and networks that every engine has


class References(NamedTuple):
    """Names or ids, as given; a container may be named as NODE/NAME."""

    containers: tuple[str, ...] = ()  # --volumes-from, --link, and container:X as network, PID or IPC mode
    networks: tuple[str, ...] = ()  # user-defined ones
    volumes: tuple[str, ...] = ()  # named ones, anonymous ones that are given by their id too
    project: str = ""


def references(body: Mapping[str, Any]) -> References:
    """Return what the body of a create call refers to, each once, in the order of the body."""
    host = _object(body.get("HostConfig"))
    return References(
        tuple(dict.fromkeys(_containers(host))),
        tuple(dict.fromkeys(_networks(host, _object(body.get("NetworkingConfig"))))),
        tuple(dict.fromkeys(_volumes(host))),
        project_of(body),
    )


def project_of(labelled_object: Mapping[str, Any]) -> str:
    """Return the compose project of anything that has Labels; "" without one."""
    return str(_object(labelled_object.get("Labels")).get(PROJECT) or "")


def mounted_volumes(mounts: Any) -> tuple[str, ...]:
    """Return the names of the volumes among the Mounts of a container, as an engine lists it."""
    if not mounts:
        return ()
    found = [m for m in _list(mounts) if isinstance(m, dict) and m.get("Type") == "volume" and m.get("Name")]
    return tuple([intern(str(mount["Name"])) for mount in found])


def joined_networks(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return names and ids of the networks that a listed container is in, without those that every engine has."""
    joined = _object(_object(entry.get("NetworkSettings")).get("Networks"))
    mode = str(_object(entry.get("HostConfig")).get("NetworkMode") or "")
    ids = [str(_object(settings).get("NetworkID") or "") for settings in joined.values()]
    return tuple(name for name in (mode, *joined, *ids) if name not in BUILT_IN)


def rename_container(body: dict[str, Any], old: str, new: str) -> None:
    """Have the body of a create call a container `new` where it refers to it as `old`; in place."""
    host = body.get("HostConfig")
    if not isinstance(host, dict):
        return
    for key in ("VolumesFrom", "Links"):
        if isinstance(host.get(key), list):
            split = [str(item).partition(":") for item in host[key]]
            host[key] = [(new if name == old else name) + colon + suffix for name, colon, suffix in split]
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        if host.get(key) == f"container:{old}":
            host[key] = f"container:{new}"


def rename_network(body: dict[str, Any], old: str, new: str) -> None:
    """Have the body of a create call a network `new` where it calls it `old`; in place."""
    host = body.get("HostConfig")
    if isinstance(host, dict) and host.get("NetworkMode") == old:
        host["NetworkMode"] = new
    networking = body.get("NetworkingConfig")
    networks = networking.get("EndpointsConfig") if isinstance(networking, dict) else None
    if isinstance(networks, dict) and old in networks:
        body["NetworkingConfig"]["EndpointsConfig"] = {new if k == old else k: v for k, v in networks.items()}


def _containers(host: Mapping[str, Any]) -> list[str]:
    found = [str(item).split(":", 1)[0] for key in ("VolumesFrom", "Links") for item in _list(host.get(key))]
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, other = str(host.get(key) or "").partition(":")
        if kind == "container":
            found.append(other)
    return [name for name in found if name]


def _networks(host: Mapping[str, Any], networking: Mapping[str, Any]) -> list[str]:
    named = [str(host.get("NetworkMode") or ""), *map(str, _object(networking.get("EndpointsConfig")))]
    return [name for name in named if name not in BUILT_IN and not name.startswith("container:")]


def _volumes(host: Mapping[str, Any]) -> list[str]:
    names = []
    for bind in _list(host.get("Binds")):
        source, colon, _ = str(bind).partition(":")
        if colon:
            names.append(source)
    mounts = map(_object, _list(host.get("Mounts")))
    names += [str(mount.get("Source") or "") for mount in mounts if mount.get("Type") == "volume"]
    return [name for name in names if name and not name.startswith(("/", ".", "~"))]


def _object(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
