"""What one create asks of the scheduler, read from the request's body. Pure.

Expressions come as environment entries (`affinity:…`, `constraint:…`, `whitelist:…`, `reschedule:…`, taken out of
Env) or as labels `com.docker.swarm.{affinities,constraints,whitelists,reschedule-policies}` that hold a JSON array.
They leave in the labels, so that a container can be scheduled again from what its engine says of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from machine.swarm.scheduler.expressions import BadExpression, Expression, parse
from machine.swarm.scheduler.references import references

PREFIX = "com.docker.swarm"
ID = f"{PREFIX}.id"
EXPRESSION_LABELS = {  # environment prefix -> label
    "affinity": f"{PREFIX}.affinities",
    "constraint": f"{PREFIX}.constraints",
    "whitelist": f"{PREFIX}.whitelists",
    "reschedule": f"{PREFIX}.reschedule-policies",
}
POLICIES = ("off", "on-node-failure")


@dataclass(frozen=True, slots=True)
class Port:
    """One port asked for on the host: address and protocol, and the first and last port that would do."""

    ip: str
    protocol: str
    first: int
    last: int


class RequiredObject(NamedTuple):
    """A thing that a container needs and that exists on some engines only: a volume, a network, another container."""

    kind: str  # volume, network or container
    name: str
    nodes: frozenset[str]  # the address of the node of each engine that has it: host:port, or in swarmd its name


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """A create, as far as placing it goes. `cpus` in whole CPUs, `memory` in bytes; 0 = not asked."""

    image: str = ""
    name: str = ""
    cpus: int = 0
    memory: int = 0
    affinities: tuple[Expression, ...] = ()
    constraints: tuple[Expression, ...] = ()
    whitelists: tuple[Expression, ...] = ()
    ports: tuple[Port, ...] = ()
    exposed: frozenset[str] = frozenset()  # "80/tcp", only looked at in host mode
    host_mode: bool = False
    colocate_with: tuple[str, ...] = ()  # containers that have to be on the same engine
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    required_objects: tuple[RequiredObject, ...] = ()  # what exists already, on some engines only
    replaced_container_ids: frozenset[str] = (
        frozenset()
    )  # ids of containers whose place this one takes: what they hold is free for it

    @property
    def has_soft(self) -> bool:
        """Whether leaving out the soft expressions can change anything."""
        return any(e.soft for e in (*self.affinities, *self.constraints, *self.whitelists))


def extract_expressions(body: dict[str, Any]) -> dict[str, list[str]]:
    """Move the expressions of a create's body from Env to its labels, in place; returns them by kind.

    Raises BadExpression if a label holds something else than a JSON array of strings.
    """
    labels = body.get("Labels") if isinstance(body.get("Labels"), dict) else {}
    labels = dict(labels or {})
    expressions = {kind: _expressions_in_label(labels, label) for kind, label in EXPRESSION_LABELS.items()}
    environment = []
    for entry in body.get("Env") or []:
        kind, colon, text = str(entry).partition(":")
        if colon and kind in EXPRESSION_LABELS and text:
            expressions[kind].append(text)
        else:
            environment.append(entry)
    if body.get("Env"):
        body["Env"] = environment
    for kind, label in EXPRESSION_LABELS.items():
        if expressions[kind]:
            labels[label] = json.dumps(expressions[kind])
    if labels:
        body["Labels"] = labels
    return expressions


def parse_create(body: Mapping[str, Any], expressions: Mapping[str, list[str]], name: str = "") -> PlacementRequest:
    """Return the PlacementRequest of a create's body and of its expressions (from `extract_expressions`).

    Raises BadExpression on nonsense in either.
    """
    host = body.get("HostConfig")
    host = host if isinstance(host, dict) else {}
    mode = str(host.get("NetworkMode") or "")
    policies(expressions.get("reschedule", []))
    refers = references(body)
    return PlacementRequest(
        image=str(body.get("Image") or ""),
        name=name,
        cpus=_number(host.get("CpuShares") or body.get("CpuShares")),
        memory=_number(host.get("Memory") or body.get("Memory")),
        affinities=tuple(parse(text) for text in expressions.get("affinity", [])),
        constraints=tuple(parse(text) for text in expressions.get("constraint", [])),
        whitelists=tuple(parse(text) for text in expressions.get("whitelist", [])),
        ports=ports_of(host.get("PortBindings")),
        exposed=frozenset(body.get("ExposedPorts") or ()),
        host_mode=mode == "host",
        colocate_with=refers.containers,
        volumes=refers.volumes,
        networks=refers.networks,
    )


def policies(texts: list[str]) -> str:
    """The one rescheduling policy, "off" without any. Raises BadExpression for an unknown one or two that differ."""
    unknown = [text for text in texts if text not in POLICIES]
    if unknown:
        raise BadExpression(f"invalid reschedule policy: {unknown[0]}; there are off and on-node-failure")
    if len(set(texts)) > 1:
        raise BadExpression("invalid reschedule policy: off and on-node-failure contradict each other, give one")
    return texts[0] if texts else "off"


def ports_of(bindings: Any) -> tuple[Port, ...]:
    """The host's ports that a HostConfig.PortBindings fixes; a binding without a port takes any and is left out.

    Raises ValueError for a binding that is no object.
    """
    ports = []
    for inner, hosts in (bindings or {}).items() if isinstance(bindings, dict) else ():
        protocol = str(inner).partition("/")[2] or "tcp"
        for host in hosts or ():
            if not isinstance(host, dict):
                raise ValueError(f"a binding of port {inner} is not an object")  # noqa: TRY004 (a client's text)
            first, _, last = str(host.get("HostPort") or "").partition("-")
            low, high = _port(first), _port(last or first)
            if low and high:
                ports.append(Port(str(host.get("HostIp") or ""), protocol, low, high))
    return tuple(ports)


def listed_port(port: Mapping[str, Any]) -> Port | None:
    """The host's port that an entry of a listed container's Ports stands for; None if it is not published."""
    public = port.get("PublicPort")
    if not public:
        return None
    return Port(str(port.get("IP") or ""), str(port.get("Type") or "tcp"), int(public), int(public))


def _port(text: str) -> int:
    """The number of a port; 0 if the text is none (the engine then says what it thinks of it)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0


def _expressions_in_label(labels: Mapping[str, Any], label: str) -> list[str]:
    text = labels.get(label)
    if not text:
        return []
    values = _json(text)
    if values is None and isinstance(text, str):
        values = _json(text.replace("\\!", "!"))  # what an interactive shell leaves of a `!` that it was told to keep
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadExpression(f"the label {label} does not hold a JSON array of strings")
    return list(values)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return max(value, 0)
