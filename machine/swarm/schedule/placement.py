"""What a container's create body ties it to: volumes, networks, other containers, its predecessor. Pure.

State attracts: a container goes where its volumes, its networks of one engine and the containers that it shares
something with are. Used by the manager, and by whoever else places containers on several engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

BUILT_IN = ("", "default", "bridge", "host", "none", "nat")  # network modes that every engine has
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
_RENAMED = re.compile(r"([0-9a-f]{12})_(.+)\Z")  # what Compose calls one of two that follow each other


def volumes_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the volumes that a create mounts, each once; paths of the host and nameless volumes are none."""
    host = _dict(body.get("HostConfig"))
    found = [str(bind).partition(":")[0] for bind in _list(host.get("Binds")) if ":" in str(bind)]
    mounts = [mount for mount in _list(host.get("Mounts")) if isinstance(mount, dict)]
    found += [str(m["Source"]) for m in mounts if m.get("Type") == "volume" and m.get("Source")]
    return tuple(dict.fromkeys(name for name in found if name and not _is_path(name)))


def networks_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The names or ids of the networks that a create joins, each once, without those that every engine has."""
    mode = str(_dict(body.get("HostConfig")).get("NetworkMode") or "")
    joined = _dict(_dict(body.get("NetworkingConfig")).get("EndpointsConfig"))
    found = [mode, *map(str, joined)]
    return tuple(dict.fromkeys(n for n in found if n not in BUILT_IN and not n.startswith("container:")))


def project_of(labels: Any) -> str:
    """The Compose project that labels name; "" if none."""
    return str(labels.get(PROJECT) or "") if isinstance(labels, Mapping) else ""


def service_of(labels: Any) -> tuple[str, str, str] | None:
    """(project, service, number) of one of a Compose service's containers; None for any other, and for `run`'s."""
    found = labels if isinstance(labels, Mapping) else {}
    if PROJECT not in found:
        return None
    key = (str(found.get(PROJECT) or ""), str(found.get(SERVICE) or ""), str(found.get(NUMBER) or ""))
    return key if all(key) and str(found.get(ONE_OFF) or "").lower() != "true" else None


def former_names(key: str, names: Iterable[str], was: str = "") -> set[str]:
    """The names that a container of the id `key`, called `names` now, is known to have had.

    `was` is the one before the last renaming; a name that begins with the id's first digits and _ is what Compose 1
    makes of the name of a container that is about to go.
    """
    renamed = [found for found in map(_RENAMED.match, names) if found and key.startswith(found[1])]
    return {found[2] for found in renamed} | ({was} if was else set())


def is_spanning(thing: Mapping[str, Any]) -> bool:
    """Whether a network or a volume is the same one on several engines."""
    return thing.get("Scope") in ("global", "swarm")


def holders_of_project(project: str, things: Mapping[str, Iterable[Mapping[str, Any]]]) -> set[str]:
    """The nodes that have a thing of one engine labelled with the project; `things` are networks or volumes by node."""
    return {
        node
        for node, found in things.items()
        if any(project and project_of(thing.get("Labels")) == project and not is_spanning(thing) for thing in found)
    }


def _is_path(source: str) -> bool:
    """Whether the source of a bind is a directory of the host: /x, ./x, ~x, C:\\x."""
    return source.startswith(("/", ".", "~", "\\")) or bool(re.match(r"[A-Za-z]\Z", source))


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
