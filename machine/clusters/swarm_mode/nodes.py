"""Whose node is whose, may a manager go, which addresses overlay networks may have. Pure.

What a node is: https://docs.docker.com/reference/api/engine/, NodeInspect. Raft's arithmetic: a change needs more than
half of the managers, so losing one of two stops the cluster as much as losing two of three.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine import hostport

DEFAULT_POOL = "10.0.0.0/8"  # swarm mode's own: /24 networks from the bottom up
OTHER_POOLS = ("10.208.0.0/12", "10.160.0.0/12", "10.48.0.0/12", "172.24.0.0/14", "192.168.128.0/17")


@dataclass(frozen=True, slots=True)
class Node:
    """One row of /nodes."""

    id: str
    hostname: str
    role: str  # as wanted; "manager" may not have become one yet, see `is_manager`
    availability: str
    state: str  # ready, down, unknown, disconnected
    addresses: tuple[str, ...]  # what it is known by, without ports
    is_manager: bool
    reachable: bool  # as a manager
    leader: bool
    engine: str  # version
    created: str  # a time that sorts as text
    index: int  # of its version, for updates
    spec: Mapping[str, Any]  # for updates: the whole is sent back


def node(found: Mapping[str, Any]) -> Node:
    """The object of the API, whatever is missing in it."""
    spec, status = found.get("Spec") or {}, found.get("Status") or {}
    manager, description = found.get("ManagerStatus") or {}, found.get("Description") or {}
    known = (str(status.get("Addr") or ""), hostport.split(str(manager.get("Addr") or ""))[0])
    return Node(
        id=str(found["ID"]),
        hostname=str(description.get("Hostname") or ""),
        role=str(spec.get("Role") or "worker"),
        availability=str(spec.get("Availability") or ""),
        state=str(status.get("State") or "unknown"),
        addresses=tuple(address for address in known if address not in ("", "0.0.0.0", "127.0.0.1")),
        is_manager=bool(manager),
        reachable=manager.get("Reachability") == "reachable",
        leader=bool(manager.get("Leader")),
        engine=str((description.get("Engine") or {}).get("EngineVersion") or ""),
        created=str(found.get("CreatedAt") or ""),
        index=int((found.get("Version") or {}).get("Index") or 0),
        spec=spec,
    )


def find_own_node(nodes: Iterable[Node], node_id: str, hostname: str, addresses: Collection[str]) -> Node | None:
    """The node that a machine is: by its id if that is known, else by host name and address together.

    A machine that joined, left and joined again has left rows of the same name behind: the one that is ready counts,
    else the youngest.
    """
    there = list(nodes)
    if node_id:
        return next((one for one in there if one.id == node_id), None)
    alike = [one for one in there if one.hostname == hostname and set(one.addresses) & set(addresses)]
    return max(alike, key=lambda one: (one.state == "ready", one.created), default=None)


def majority(managers: int) -> int:
    """How many of so many managers must be there for anything to be decided."""
    return managers // 2 + 1


def quorum_risk(nodes: Sequence[Node], going: Node, together: Collection[str] = ()) -> str:
    """Why the cluster would break if `going` left as manager; "" if it would not.

    `together` are ids of nodes that are being removed by the same command and need no manager any more.
    """
    if going.role != "manager" and not going.is_manager:
        return ""
    left = [one for one in nodes if one.is_manager and one.id != going.id]
    stay = [one for one in nodes if one.id != going.id and one.id not in together and one.state != "down"]
    if not left:
        names = ", ".join(sorted(one.hostname for one in stay))
        return f"it is the only manager, and {names} would be left without one" if stay else ""
    there = sum(one.reachable for one in left)
    if there < majority(len(left)):
        return f"of the {_count(len(left), 'manager')} left {there} would answer, and {majority(len(left))} must"
    return ""


def fault_tolerance(managers: int) -> str:
    """What the number of managers means, in words; "" for the good numbers."""
    if managers and managers % 2 == 0:
        return f"{_count(managers, 'manager')} stand the loss of no more than {managers - 1} would; take an odd number"
    return ""


def pool(networks: Iterable[str], wanted: Sequence[str] = ()) -> list[str]:
    """DefaultAddrPool of a new cluster; [] means the engine's own.

    Swarm mode gives its networks 10.0.0.0/24, 10.0.1.0/24 and so on, without a look at what the hosts use: where the
    hosts' own `networks` (CIDR) are in there, containers could not reach the hosts, nor nodes each other.
    """
    if wanted:
        return list(wanted)
    taken = [ipaddress.IPv4Interface(text).network for text in networks if ":" not in text]
    taken = [network for network in taken if network.prefixlen < 32]
    for candidate in (DEFAULT_POOL, *OTHER_POOLS):
        if not any(ipaddress.IPv4Network(candidate).overlaps(network) for network in taken):
            return [] if candidate == DEFAULT_POOL else [candidate]
    return []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
