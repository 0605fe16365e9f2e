"""Which nodes can take a container, best first: the filters, then the strategy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from machine.swarm.scheduler.filters import DEFAULT_FILTERS, HEALTHY, Criteria, NoNode
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
    """The nodes that can take the container, best first; of those that have a container that it replaces only these.

    `filters` are keys of FILTERS. `limit` = so many nodes are enough; 0 = all.
    Soft expressions, and ports of containers that have ended, count on the first pass; what leaves no node is dropped,
    the expressions first. NoNode says what none meets.
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
    raise refusal or NoNode(HEALTHY)


def _passes(request: PlacementRequest) -> list[Criteria]:
    """How strict to be, one after the other; what cannot change anything is left out."""
    soft = (True, False) if request.has_soft else (True,)
    ended = (True, False) if request.ports or request.host_mode else (True,)
    return [Criteria(s, e) for e in ended for s in soft]
