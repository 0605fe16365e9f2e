"""The routes of the Docker API as a manager answers them: one module for each kind of thing."""

from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.dispatch import answer
from machine.swarm.manager.routes.table import HANDLERS

__all__ = ["HANDLERS", "ManagerContext", "answer"]
