"""Which engines a new network or volume of a Compose project may be made on: those that have more of the project."""

from __future__ import annotations

from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.placing.project import engines_of_project
from machine.swarm.scheduler.references import PROJECT


def engines_for(context: ManagerContext, labels: Any) -> list[Engine] | None:
    """The engines that have volumes of the project that `labels` name, else networks, else containers; None = any."""
    project = str(labels.get(PROJECT) or "") if isinstance(labels, dict) else ""
    found = engines_of_project(context.cluster.healthy(), project)
    return found or None
