"""Which nodes may take a container: the filters, each a function from nodes to fewer nodes. Pure.

A filter gets the placement request, the nodes left and how strict to be; it returns the nodes that pass, or raises
NotMet with the condition that none of them meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn

from machine.swarm.scheduler.expressions import EQUAL, Expression
from machine.swarm.scheduler.node import Node, ScheduledContainer
from machine.swarm.scheduler.placement_request import PlacementRequest

NAMED = 5  # nodes that an error names for each condition
HEALTHY_CONDITION = "healthy"  # when every node fails this one, the error is NO_HEALTHY_NODE alone
NO_HEALTHY_NODE = "No healthy node available in the cluster"


class Criteria(NamedTuple):
    """How strict the filters are in one pass; the default is the strictest."""

    apply_soft: bool = True  # soft expressions have to be met too
    count_ended_ports: bool = True  # ports of containers that have ended are taken too


Filter = Callable[[PlacementRequest, Sequence[Node], Criteria], Sequence[Node]]
STRICT = Criteria()


class NoNode(Exception):
    """No node can take the container; the text says why."""


class NotMet(Exception):
    """None of the nodes meets `condition`; `detail` says why the last of them does not."""

    def __init__(self, condition: str, detail: str = "") -> None:
        super().__init__(condition)
        self.condition = condition
        self.detail = detail


def health(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:  # noqa: ARG001
    """The nodes whose engines answer."""
    fitting = [node for node in nodes if node.health_score > 0]
    return fitting or reject(HEALTHY_CONDITION)


def port(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:
    """Nodes where the host's ports are free, or will be once the containers that are replaced have gone."""
    if request.host_mode and request.exposed:
        fitting = [
            n
            for n in nodes
            if not any(request.exposed & c.exposed for c in _remaining_containers(request, n, criteria))
        ]
        return fitting or reject(f"ports {', '.join(sorted(request.exposed))} free for a container in host mode")
    if request.host_mode:
        return nodes
    for binding in request.ports:
        fitting = [
            node
            for node in nodes
            if node.is_free(binding, request.replaced_container_ids, ended_count=criteria.count_ended_ports)
        ]
        if not fitting:
            last = f"-{binding.last}" if binding.last != binding.first else ""
            holder = (
                nodes[-1].holder(binding, request.replaced_container_ids, ended_count=criteria.count_ended_ports)
                if nodes
                else None
            )
            detail = f"{(holder.names or (holder.id[:12],))[0]} has it" if holder else ""
            where = f" on {binding.ip}" if binding.ip else ""
            reject(f"port {binding.first}{last}/{binding.protocol} free{where}", detail)
        nodes = fitting
    return nodes


def _remaining_containers(request: PlacementRequest, node: Node, criteria: Criteria) -> Iterable[ScheduledContainer]:
    """The node's containers whose ports count: not those that the new one replaces."""
    return (
        c
        for c in node.all_containers()
        if c.id not in request.replaced_container_ids and (criteria.count_ended_ports or not c.ended)
    )


def containerslots(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:  # noqa: ARG001
    """Nodes whose label containerslots=N is not reached."""
    fitting = [n for n in nodes if "containerslots" not in n.labels or _has_slot(request, n)]
    return fitting or reject("a free container slot")


def dependency(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:  # noqa: ARG001
    """The node that has the containers named by --volumes-from, --link, and --net, --pid or --ipc container:."""
    names = request.colocate_with
    if not names:
        return nodes
    fitting = [node for node in nodes if all(_has_container(node, name) for name in names)]
    return fitting or reject(f"all of the containers it depends on: {', '.join(names)}")


def affinity(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:
    """Nodes with (or without) certain containers, images, or labels of containers."""
    return _keep_matching(request.affinities, nodes, criteria, "affinity", _meets_affinity)


def constraint(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:
    """Nodes by name or id (key `node`), or by an engine's label; a label that is missing counts as empty."""
    return _keep_matching(request.constraints, nodes, criteria, "constraint", _meets_constraint)


def whitelist(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:
    """Nodes by exact name: `n1|n2`, whatever the key."""
    return _keep_matching(request.whitelists, nodes, criteria, "whitelist", _meets_whitelist)


FILTERS: dict[str, Filter] = {
    "health": health,
    "port": port,
    "containerslots": containerslots,
    "dependency": dependency,
    "affinity": affinity,
    "constraint": constraint,
    "whitelist": whitelist,
}
DEFAULT_FILTERS = tuple(FILTERS)


def required_objects(request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> Sequence[Node]:  # noqa: ARG001
    """Nodes that have the required objects.

    Not in FILTERS, for it cannot be switched off: another engine would make new, empty volumes of the same names.
    """
    for kind, name, addresses in request.required_objects:
        nodes = [node for node in nodes if node.address in addresses] or reject(f"{kind} {name}")
    return nodes


def apply(
    names: Iterable[str], request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria = STRICT
) -> Sequence[Node]:
    """What is left of the nodes after the filters, in the order given; NoNode has every filter's reason if none is."""
    filters = [*(FILTERS[name] for name in names), required_objects]
    fitting = nodes
    try:
        for keep_fitting in filters:
            fitting = keep_fitting(request, fitting, criteria)
    except NotMet:
        raise NoNode(explain(filters, request, nodes, criteria)) from None
    return fitting


def explain(filters: Sequence[Filter], request: PlacementRequest, nodes: Sequence[Node], criteria: Criteria) -> str:
    """Why no node can take the container: each condition that some nodes do not meet, and which nodes those are."""
    failing: dict[str, list[str]] = {}
    for keep_fitting in filters:
        for node in nodes:
            try:
                keep_fitting(request, [node], criteria)
            except NotMet as error:
                failing.setdefault(error.condition, []).append(
                    f"{node.name}: {error.detail}" if error.detail else node.name
                )
    if not nodes or len(failing.get(HEALTHY_CONDITION, ())) == len(nodes):
        return NO_HEALTHY_NODE
    reasons = [f"{condition} (not on {_shorten_names(names)})" for condition, names in failing.items()]
    return f"Unable to find a node that satisfies the following conditions: {'; '.join(reasons)}"


def _shorten_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _keep_matching(
    expressions: Iterable[Expression],
    nodes: Sequence[Node],
    criteria: Criteria,
    kind: str,
    passes: Callable[[Expression, Node], bool],
) -> Sequence[Node]:
    for expression in expressions:
        if expression.soft and not criteria.apply_soft:
            continue
        nodes = [node for node in nodes if passes(expression, node)]
        if not nodes:
            reject(f"{kind} {expression}")
    return nodes


def _meets_affinity(expression: Expression, node: Node) -> bool:
    if expression.key == "container":
        names = (
            text
            for c in node.all_containers()
            for text in (c.id, *c.names, *(f"{node.name}/{name}" for name in c.names))
        )
        return expression.matches(names)
    if expression.key == "image":
        return expression.matches(node.images)
    return expression.matches(c.labels.get(expression.key, "") for c in node.all_containers())


def _meets_constraint(expression: Expression, node: Node) -> bool:
    if expression.key == "node":
        if expression.value == node.address:  # the one name that an engine cannot choose for itself
            return expression.operator == EQUAL
        return expression.matches((node.id, node.name))
    return expression.matches((node.labels.get(expression.key, ""),))


def _meets_whitelist(expression: Expression, node: Node) -> bool:
    named = node.name in [name.strip() for name in expression.value.split("|")]
    return named if expression.operator == EQUAL else not named


def _has_container(node: Node, name: str) -> bool:
    """Whether the node has the container: by name, full id, or the beginning of an id."""
    name = name.lstrip("/")
    return any(
        name in c.names or c.id == name or (len(name) >= 12 and c.id.startswith(name)) for c in node.all_containers()
    )


def _has_slot(request: PlacementRequest, node: Node) -> bool:
    return node.slots is None or node.count - node.resources_of(request.replaced_container_ids).slots < node.slots


def reject(condition: str, detail: str = "") -> NoReturn:
    """Raise NotMet: no node meets `condition`."""
    raise NotMet(condition, detail)
