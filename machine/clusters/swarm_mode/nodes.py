"""The nodes of a cluster: which one a machine is, whether a manager may leave, addresses of overlay networks. Pure.

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
    engine_version: str
    created: str  # a time that sorts as text
    index: int  # of its version, for updates
    spec: Mapping[str, Any]  # for updates: the whole is sent back


def parse_node(found: Mapping[str, Any]) -> Node:
    """Return the node in an object of the API; what the object lacks is empty."""
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
        engine_version=str((description.get("Engine") or {}).get("EngineVersion") or ""),
        created=str(found.get("CreatedAt") or ""),
        index=int((found.get("Version") or {}).get("Index") or 0),
        spec=spec,
    )


def find_own_node(nodes: Iterable[Node], node_id: str, hostname: str, addresses: Collection[str]) -> Node | None:
    """Return the node that a machine is: by its id if that is known, else by host name and address together.

    A machine that joined, left and joined again has left rows of the same name behind: the one that is ready counts,
    else the youngest.
    """
    node_list = list(nodes)
    if node_id:
        return next((one for one in node_list if one.id == node_id), None)
    candidates = [one for one in node_list if one.hostname == hostname and set(one.addresses) & set(addresses)]
    return max(candidates, key=lambda one: (one.state == "ready", one.created), default=None)


def majority(manager_count: int) -> int:
    """Return how many of so many managers must answer for anything to be decided."""
    return manager_count // 2 + 1


def quorum_risk(nodes: Sequence[Node], leaving: Node, also_removed: Collection[str] = ()) -> str:
    """Return why the cluster would break if the node `leaving` left it; "" if it would not.

    `also_removed` are ids of nodes that are being removed by the same command and need no manager any more.
    """
    if leaving.role != "manager" and not leaving.is_manager:
        return ""
    remaining = [one for one in nodes if one.is_manager and one.id != leaving.id]
    staying = [one for one in nodes if one.id != leaving.id and one.id not in also_removed and one.state != "down"]
    if not remaining:
        names = ", ".join(sorted(one.hostname for one in staying))
        return f"it is the only manager, and {names} would be left without one" if staying else ""
    reachable = sum(one.reachable for one in remaining)
    if reachable < majority(len(remaining)):
        managers = _count(len(remaining), "manager")
        return f"of the {managers} left {reachable} would answer, and {majority(len(remaining))} must"
    return ""


def fault_tolerance(manager_count: int) -> str:
    """Return a remark on an even number of managers; "" for an odd one."""
    if manager_count and manager_count % 2 == 0:
        managers = _count(manager_count, "manager")
        return f"{managers} stand the loss of no more than {manager_count - 1} would; take an odd number"
    return ""


def address_pools(networks: Iterable[str], chosen: Sequence[str] = ()) -> list[str]:
    """Return DefaultAddrPool for a new cluster; [] means the engine's own.

    Swarm mode gives its networks 10.0.0.0/24, 10.0.1.0/24 and so on, without a look at what the hosts use: where the
    hosts' own `networks` (CIDR) are in there, containers could not reach the hosts, nor nodes each other.
    """
    if chosen:
        return list(chosen)
    used = [ipaddress.IPv4Interface(text).network for text in networks if ":" not in text]
    used = [network for network in used if network.prefixlen < 32]
    for candidate in (DEFAULT_POOL, *OTHER_POOLS):
        if not any(ipaddress.IPv4Network(candidate).overlaps(network) for network in used):
            return [] if candidate == DEFAULT_POOL else [candidate]
    return []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
