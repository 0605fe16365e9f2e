"""Which nodes may take a container: the filters, each a function from nodes to fewer nodes. Pure.

A filter gets the want, the nodes left and whether soft expressions count; it returns the nodes that pass, or raises
NoNode with the condition that none of them meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from machine.swarm.schedule.expression import EQUAL, Expression
from machine.swarm.schedule.node import Node
from machine.swarm.schedule.want import Want

Filter = Callable[[Want, Sequence[Node], bool], Sequence[Node]]


class NoNode(Exception):
    """No node can take the container; the text says which condition."""


def health(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:  # noqa: ARG001
    """Nodes that answer."""
    left = [node for node in nodes if node.health > 0]
    if not left:
        raise NoNode("No healthy node available in the cluster")
    return left


def port(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:  # noqa: ARG001
    """Nodes where the host's ports are free."""
    if want.host_mode and want.exposed:
        left = [n for n in nodes if not any(want.exposed & c.exposed for c in n.held())]
        return left or _none(f"ports {', '.join(sorted(want.exposed))} free for a container in host mode")
    if want.host_mode:
        return nodes
    for wanted in want.ports:
        nodes = [node for node in nodes if node.is_free(wanted)]
        if not nodes:
            last = f"-{wanted.last}" if wanted.last != wanted.first else ""
            _none(f"port {wanted.first}{last}/{wanted.protocol} free" + (f" on {wanted.ip}" if wanted.ip else ""))
    return nodes


def containerslots(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:  # noqa: ARG001
    """Nodes whose label containerslots=N is not reached."""
    left = [n for n in nodes if "containerslots" not in n.labels or n.slots is None or n.count < n.slots]
    return left or _none("a free container slot")


def dependency(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:  # noqa: ARG001
    """The node that has the containers named by --volumes-from, --link and --net container:."""
    needed = [*want.volumes_from, *want.links, *([want.net_container] if want.net_container else [])]
    if not needed:
        return nodes
    left = [node for node in nodes if all(_has(node, name) for name in needed)]
    return left or _none(f"all of the containers it depends on: {', '.join(needed)}")


def affinity(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:
    """Nodes with (or without) certain containers, images, or labels of containers."""
    return _each(want.affinities, nodes, soft, "affinity", _affine)


def constraint(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:
    """Nodes by name or id (key `node`), or by an engine's label; a label that is missing counts as empty."""
    return _each(want.constraints, nodes, soft, "constraint", _constrained)


def whitelist(want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:
    """Nodes by exact name: `n1|n2`, whatever the key."""
    return _each(want.whitelists, nodes, soft, "whitelist", _listed)


FILTERS: dict[str, Filter] = {
    "health": health,
    "port": port,
    "containerslots": containerslots,
    "dependency": dependency,
    "affinity": affinity,
    "constraint": constraint,
    "whitelist": whitelist,
}
DEFAULT = tuple(FILTERS)


def apply(names: Iterable[str], want: Want, nodes: Sequence[Node], soft: bool) -> Sequence[Node]:
    """What is left of the nodes after the filters, in the order given; NoNode names the first that leaves none."""
    for name in names:
        nodes = FILTERS[name](want, nodes, soft)
    return nodes


def _each(
    expressions: Iterable[Expression],
    nodes: Sequence[Node],
    soft: bool,
    kind: str,
    passes: Callable[[Expression, Node], bool],
) -> Sequence[Node]:
    for expression in expressions:
        if expression.soft and not soft:
            continue
        nodes = [node for node in nodes if passes(expression, node)]
        if not nodes:
            _none(f"{kind} {expression}")
    return nodes


def _affine(expression: Expression, node: Node) -> bool:
    if expression.key == "container":
        return expression.matches(text for c in node.held() for text in (c.id, *c.names))
    if expression.key == "image":
        return expression.matches(node.images)
    return expression.matches(c.labels.get(expression.key, "") for c in node.held())


def _constrained(expression: Expression, node: Node) -> bool:
    if expression.key == "node":
        return expression.matches((node.id, node.name))
    return expression.matches((node.labels.get(expression.key, ""),))


def _listed(expression: Expression, node: Node) -> bool:
    named = node.name in [name.strip() for name in expression.value.split("|")]
    return named if expression.operator == EQUAL else not named


def _has(node: Node, name: str) -> bool:
    """Whether the node has the container: by name, full id, or the beginning of an id."""
    name = name.lstrip("/")
    return any(name in c.names or c.id == name or (len(name) >= 12 and c.id.startswith(name)) for c in node.held())


def _none(condition: str) -> Sequence[Node]:
    raise NoNode(f"Unable to find a node that satisfies: {condition}")
