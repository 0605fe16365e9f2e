"""Where a container goes: filters first, then a strategy. Pure: nodes and a request in, nodes in order out."""

from machine.swarm.scheduler.filters import DEFAULT_FILTERS, FILTERS, NoNode
from machine.swarm.scheduler.ranking import rank
from machine.swarm.scheduler.strategy import STRATEGIES

__all__ = ["DEFAULT_FILTERS", "FILTERS", "STRATEGIES", "NoNode", "rank"]
