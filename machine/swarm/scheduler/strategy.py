"""Which of the nodes that may take a container should: spread, binpack, random. Pure.

weight = cpu + memory + f * health, all whole numbers: cpu = (used + wanted) * 100 / total, memory alike, each 100
when nothing of it is wanted. A node that is too small or would be more than full is left out. spread takes the
lightest (f = -10), binpack the heaviest (f = 10); among equals spread takes the node with the fewest containers,
binpack the one with the most. random looks at no resources.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from heapq import nsmallest
from itertools import count
from operator import attrgetter

from machine.swarm.scheduler.filters import NoNode
from machine.swarm.scheduler.node import Node
from machine.swarm.scheduler.placement_request import PlacementRequest

Strategy = Callable[[PlacementRequest, Sequence[Node], int], list[Node]]  # so many of the nodes in order, 0 = all
FULL = 100
NO_RESOURCES = "no resources available to schedule container"
NAMED = 5  # nodes that an error names
_HEALTH, _COUNT = attrgetter("health_score"), attrgetter("count")


def weight(request: PlacementRequest, node: Node, factor: int) -> int | None:
    """The node's weight for this request; None when the container does not fit on it."""
    if node.memory < request.memory or node.cpus < request.cpus:
        return None
    used_cpus, used_memory = node.used if request.cpus or request.memory else (0, 0)
    if request.replaced_container_ids:
        cpus, memory_freed, _ = node.resources_of(request.replaced_container_ids)
        used_cpus, used_memory = used_cpus - cpus, used_memory - memory_freed
    cpu = (used_cpus + request.cpus) * 100 // node.cpus if request.cpus else FULL
    memory = (used_memory + request.memory) * 100 // node.memory if request.memory else FULL
    if cpu > FULL or memory > FULL:
        return None
    return cpu + memory + factor * node.health_score


def spread(request: PlacementRequest, nodes: Sequence[Node], limit: int = 0) -> list[Node]:
    """The nodes with the least load first, `limit` of them (0: all)."""
    if limit == 1 and nodes and not (request.cpus or request.memory):  # nearly every create
        healthiest = max(map(_HEALTH, nodes))
        return [min([node for node in nodes if node.health_score == healthiest], key=_COUNT)]
    weighed = _weigh(request, nodes, -10)
    return [node for _, _, _, node in (nsmallest(limit, weighed) if limit else sorted(weighed))]


def binpack(request: PlacementRequest, nodes: Sequence[Node], limit: int = 0) -> list[Node]:
    """The nodes with the most load first, `limit` of them (0: all)."""
    weighed = [(-weight, -held, position, node) for weight, held, position, node in _weigh(request, nodes, 10)]
    return [node for _, _, _, node in (nsmallest(limit, weighed) if limit else sorted(weighed))]


def random_order(request: PlacementRequest, nodes: Sequence[Node], limit: int = 0) -> list[Node]:  # noqa: ARG001
    """The nodes in random order, `limit` of them (0: all)."""
    shuffled = list(nodes)
    random.shuffle(shuffled)
    if not shuffled:
        raise NoNode(NO_RESOURCES)
    return shuffled[:limit] if limit else shuffled


STRATEGIES: dict[str, Strategy] = {"spread": spread, "binpack": binpack, "binpacking": binpack, "random": random_order}


def _weigh(request: PlacementRequest, nodes: Sequence[Node], factor: int) -> list[tuple[int, int, int, Node]]:
    """(weight, containers, position, node) of each node that fits. Raises NoNode without any."""
    counts = map(_COUNT, nodes)
    if request.cpus or request.memory:
        weights = [weight(request, node, factor) for node in nodes]
        weighed = [
            (found, held, position, node)
            for found, held, position, node in zip(weights, counts, count(), nodes, strict=False)
            if found is not None
        ]
    else:  # the same for every node, but for its health
        weighed = list(
            zip([2 * FULL + factor * node.health_score for node in nodes], counts, count(), nodes, strict=False)
        )
    if not weighed:
        raise NoNode(f"{NO_RESOURCES}: {_describe_shortage(request, nodes)}")
    return weighed


def _describe_shortage(request: PlacementRequest, nodes: Sequence[Node]) -> str:
    """What is wanted, and what the nodes that passed the filters have of it."""
    demand = [f"{request.cpus} CPUs"] if request.cpus else []
    demand += [f"{request.memory} bytes of memory"] if request.memory else []
    free = []
    for node in nodes[:NAMED]:
        cpus, memory = node.used
        parts = [f"{node.cpus - cpus} of {node.cpus} CPUs"] if request.cpus else []
        parts += [f"{node.memory - memory} of {node.memory} bytes"] if request.memory else []
        free.append(f"{node.name} has {' and '.join(parts)} free")
    return f"{' and '.join(demand)} wanted, {'; '.join(free)}"
