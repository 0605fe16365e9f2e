"""Which function of the manager answers which call: every one is declared where it is."""

from __future__ import annotations

from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.routing import Handlers

HANDLERS: Handlers[ManagerContext] = Handlers(
    "This is a classic swarm, not Docker's swarm mode: it has no services, nodes or secrets."
)
