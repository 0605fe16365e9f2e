"""Which engines a new network or volume of a Compose project may be made on: those that have more of the project."""

from __future__ import annotations

from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.scheduler.placement import holders_of_project
from machine.swarm.scheduler.references import PROJECT


def engines_for(context: ManagerContext, labels: Any) -> list[Engine] | None:
    """The engines that have volumes of the project that `labels` name, else networks, else containers; None = any."""
    project = str(labels.get(PROJECT) or "") if isinstance(labels, dict) else ""
    engines = context.cluster.healthy()
    if not project:
        return None
    volumes = holders_of_project(project, {e.address: e.volumes for e in engines})
    networks = holders_of_project(project, {e.address: e.networks for e in engines})
    found = volumes & networks or volumes or networks
    if not found:
        found = {e.address for e in engines if any(c.labels.get(PROJECT) == project for c in e.containers.values())}
    return [e for e in engines if e.address in found] or None
