"""Which nodes can take a container, best first: the filters, then the strategy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from machine.swarm.scheduler.filters import DEFAULT_FILTERS, NO_HEALTHY_NODE, Criteria, NoNode
from machine.swarm.scheduler.filters import apply as apply_filters
from machine.swarm.scheduler.node import Node
from machine.swarm.scheduler.placement_request import PlacementRequest
from machine.swarm.scheduler.strategy import STRATEGIES


def rank(
    nodes: Sequence[Node],
    request: PlacementRequest,
    strategy: str = "spread",
    filters: Iterable[str] = DEFAULT_FILTERS,
    *,
    limit: int = 0,
) -> list[Node]:
    """Return the nodes that can take the container, best first, `limit` of them at most (0: all). NoNode says why none.

    `filters` are keys of FILTERS. They are applied in up to four passes until a node is left: strictly; without soft
    expressions; without the ports of containers that have ended; without both. Of the nodes that are left, those that
    have a container which the new one replaces are the only ones, if there are any.
    """
    filters = tuple(filters)
    refusal: NoNode | None = None
    for criteria in _passes(request):
        try:
            fitting = apply_filters(filters, request, nodes, criteria)
            if request.replaced_container_ids:
                fitting = [node for node in fitting if node.has_any(request.replaced_container_ids)] or fitting
            return STRATEGIES[strategy](request, fitting, limit)
        except NoNode as error:
            refusal = error
    raise refusal or NoNode(NO_HEALTHY_NODE)


def _passes(request: PlacementRequest) -> list[Criteria]:
    """Return the criteria of each pass, the strictest first; a pass that could not change anything is left out."""
    soft = (True, False) if request.has_soft else (True,)
    ended = (True, False) if request.ports or request.host_mode else (True,)
    return [Criteria(s, e) for e in ended for s in soft]
