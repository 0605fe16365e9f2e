"""Where a container goes: filters first, then a strategy. Pure: nodes and a want in, nodes in order out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from machine.swarm.schedule import filters
from machine.swarm.schedule.filters import DEFAULT, FILTERS, NoNode
from machine.swarm.schedule.node import Node
from machine.swarm.schedule.strategy import STRATEGIES
from machine.swarm.schedule.want import Want

__all__ = ["DEFAULT", "FILTERS", "STRATEGIES", "NoNode", "rank"]


def rank(nodes: Sequence[Node], want: Want, strategy: str = "spread", names: Iterable[str] = DEFAULT) -> list[Node]:
    """The nodes that can take the container, best first.

    Soft expressions count on the first pass; when that leaves no node they are dropped. NoNode says what none meets.
    """
    names = tuple(names)
    try:
        return STRATEGIES[strategy](want, filters.apply(names, want, nodes, True))
    except NoNode:
        if not want.has_soft:
            raise
        return STRATEGIES[strategy](want, filters.apply(names, want, nodes, False))
