"""Compose's labels and names: which service a container is of, what it was called, where a project has things. Pure.

The cluster finds by them the container that a new one replaces, and the engines to which a project's new networks and
volumes go. What the body of a create refers to is read by machine.swarm.scheduler.references.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from machine.swarm.api.scope import is_spanning
from machine.swarm.scheduler.references import PROJECT, project_of

N = TypeVar("N")
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
NO_NAMES: frozenset[str] = frozenset()
_RENAMED = re.compile(r"([0-9a-f]{12})_(.+)\Z")  # what Compose 1 calls a container that is about to go


def service_of(labels: Any) -> tuple[str, str, str] | None:
    """(project, service, number) of one of a Compose service's containers; None for any other, and for `run`'s."""
    found = labels if type(labels) is dict or isinstance(labels, Mapping) else {}
    if PROJECT not in found:
        return None
    key = (str(found.get(PROJECT) or ""), str(found.get(SERVICE) or ""), str(found.get(NUMBER) or ""))
    return key if all(key) and str(found.get(ONE_OFF) or "").lower() != "true" else None


def former_names(key: str, names: Collection[str], was: str = "") -> Collection[str]:
    """The names that a container of the id `key`, called `names` now, is known to have had.

    `was` is the one before the last renaming; a name that begins with the id's first digits and _ is what Compose 1
    makes of the name of a container that is about to go.
    """
    if not was:
        for name in names:  # a loop, because this is asked of every container: it costs half as much as `any`
            if name[12:13] == "_":
                break
        else:
            return NO_NAMES  # nearly always
    renamed = [found for found in map(_RENAMED.match, names) if found and key.startswith(found[1])]
    return {found[2] for found in renamed} | ({was} if was else set())


def holders_of_project(project: str, objects_by_node: Mapping[N, Iterable[Mapping[str, Any]]]) -> set[N]:
    """The nodes with an engine's own network or volume (`objects_by_node` has either) that is of the project."""
    return {
        node
        for node, objects in objects_by_node.items()
        if any(project and project_of(entry) == project and not is_spanning(entry) for entry in objects)
    }
