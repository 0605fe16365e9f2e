"""Which engines have something of a Compose project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from machine.swarm.placing.engine_view import EngineView
from machine.swarm.scheduler.compose_labels import holders_of_project
from machine.swarm.scheduler.references import PROJECT

V = TypeVar("V", bound=EngineView)


def engines_of_project(engines: Sequence[V], project: str) -> list[V]:
    """Return the engines that have volumes of the project, else networks, else containers; none without a project."""
    if not project:
        return []
    volumes = holders_of_project(project, {e.address: e.volumes for e in engines})
    networks = holders_of_project(project, {e.address: e.networks for e in engines})
    found = volumes & networks or volumes or networks
    return [e for e in engines if e.address in found] or engines_with_containers(engines, project)


def engines_with_containers(engines: Sequence[V], project: str) -> list[V]:
    """Return the engines that have containers of the project, running or not."""
    return [e for e in engines if any(c.labels.get(PROJECT) == project for c in e.node.all_containers())]
