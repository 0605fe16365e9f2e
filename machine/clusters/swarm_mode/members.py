"""The machines of one cluster in this store, and the engines among them that manage it."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import re
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from machine import clients, engine, names
from machine.clusters.swarm_mode import api
from machine.clusters.swarm_mode.detection import KEY
from machine.clusters.swarm_mode.membership import PUBLIC, Membership, parse
from machine.clusters.swarm_mode.nodes import Node, find_own_node
from machine.errors import EngineError, MachineError, RecordBroken, SwarmModeError, reason_of
from machine.model import Endpoint
from machine.session import Session, readable_records
from machine.store import Record
from machine.store.document import locate

ASK_SECONDS = 15.0  # a busy computer is no broken manager
CHANGE_SECONDS = 40.0  # /swarm/join answers after 20 s at the latest
LOCK_SECONDS = 600.0


@dataclass(frozen=True)
class Manager:
    """A machine of the store whose engine manages its cluster now."""

    record: Record
    engine: engine.EngineClient
    local: api.LocalNode


def membership_of(record: Record) -> Membership | None:
    """Return the membership in swarm mode that a record holds, None for none.

    Raises RecordBroken if it cannot be read.
    """
    try:
        return parse((record.raw.get("Machine") or {}).get(KEY), record.name)
    except RecordBroken as error:
        locate(error, record.root, record.name)
        raise


def require_membership(record: Record) -> Membership:
    """Return the membership of a machine. Raises SwarmModeError for one that is in no cluster of swarm mode."""
    found = membership_of(record)
    if found is None:
        classic = record.swarm_options()
        if classic.is_swarm or classic.is_node or classic.master:
            raise SwarmModeError(
                f"{record.name} is in a classic swarm, which has no nodes to promote or demote and no keys",
                resolution=f"machine ls shows its master; machine rm {record.name} takes it out of it",
            )
        raise SwarmModeError(
            f"{record.name} is in no cluster of swarm mode",
            resolution="machine create --swarm-mode worker NAME makes a machine that is",
        )
    return found


def save_membership(session: Session, record: Record, membership: Membership | None) -> None:
    """Write a machine's membership to its record; None: it is in no cluster any more."""
    own = record.raw["Machine"]
    old = own.get(KEY)
    if membership is None:
        own.pop(KEY, None)
    else:
        own[KEY] = membership.dump()
    if own.get(KEY) != old:
        session.store.save(record)


def engine_of(record: Record, endpoint: Endpoint | None = None, timeout: float = CHANGE_SECONDS) -> engine.EngineClient:
    """Return a client of the machine's engine, as seen from here. Raises EngineError while its address is not known."""
    reached_at = endpoint or record.endpoint()
    if reached_at is None:
        raise EngineError(f"{record.name} has no address yet", resolution=f"machine create --resume {record.name}")
    return clients.engine_at(record, reached_at.address, reached_at.engine_port, timeout)


def members(session: Session, cluster: str, excluding: Collection[str] = ()) -> list[tuple[Record, Membership]]:
    """Return the machines of a cluster in this store but for those in `excluding`, managers first."""
    found = []
    for record in readable_records(session.store):
        with contextlib.suppress(MachineError):
            membership = membership_of(record)
            if membership is not None and membership.cluster == cluster and record.name not in excluding:
                found.append((record, membership))
    return sorted(found, key=lambda pair: (pair[1].role != "manager", names.natural_key(pair[0].name)))


def ask_local_node(record: Record) -> api.LocalNode | None:
    """Return what the machine's engine says of its own membership; None when it does not answer."""
    try:
        return api.local_node(engine_of(record, timeout=ASK_SECONDS))
    except MachineError:
        return None


def find_manager(session: Session, cluster: str, excluding: Collection[str] = ()) -> Manager | None:
    """Return the first machine of the cluster whose engine is a manager in a cluster with a leader; None if none is."""
    for record, _ in members(session, cluster, excluding):
        try:
            manager_engine = engine_of(record, timeout=ASK_SECONDS)
            local = api.local_node(manager_engine)
            if local.is_manager:
                api.cluster(manager_engine)  # fails without a leader
                manager_engine.timeout = CHANGE_SECONDS
                return Manager(record, manager_engine, local)
        except MachineError:
            continue
    return None


def require_manager(session: Session, cluster: str) -> Manager:
    """Return a manager of the cluster that answers. Raises SwarmModeError if none does."""
    found = find_manager(session, cluster)
    if found is None:
        names = [record.name for record, _ in members(session, cluster)]
        there = ", ".join(names)
        start = f"; machine start {' '.join(names)}" if names else ""
        raise SwarmModeError(
            f"no manager of the cluster {cluster} answers",
            details=f"its machines in this store: {there}" if there else "no machine of this store is in it",
            resolution=f"machine ls shows which are running{start}",
        )
    return found


def advertised_address(record: Record, membership: Membership, endpoint: Endpoint) -> str:
    """Return the IP address by which the other nodes shall reach the machine.

    Raises SwarmModeError if there is none.
    """
    usual = membership.address or endpoint.peer_address or endpoint.address
    name = endpoint.address if membership.address == PUBLIC else usual
    try:
        address = str(socket.getaddrinfo(name, 2377, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise SwarmModeError(
            f"{name}, the address of {record.name}, cannot be looked up", details=reason_of(error)
        ) from None
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise SwarmModeError(
            f"{record.name} is known by {address} only, where no other node could reach it",
            resolution=f"machine rm {record.name}, then create it with --swarm-addr, an address that others reach",
        )
    return address


def own_node(record: Record, membership: Membership, nodes: Collection[Node]) -> Node | None:
    """Return the node out of `nodes` that the machine is, None if it is none of them."""
    endpoint = record.endpoint()
    addresses = {membership.address, *(endpoint.addresses if endpoint else ())}
    return find_own_node(nodes, membership.node_id, names.hostname(record.name), addresses)


@contextlib.contextmanager
def cluster_lock(session: Session, cluster: str) -> Iterator[None]:
    """Hold the lock of a cluster: one command of this store changes it at a time."""
    safe = re.sub(r"[^a-zA-Z0-9.-]", "_", cluster)[:40]
    lock_name = f"swarm-mode-{safe}-{hashlib.sha256(cluster.encode()).hexdigest()[:8]}"
    purpose = f"change the cluster {cluster}"
    with session.store.lock(lock_name, seconds=LOCK_SECONDS, what=purpose, say=session.console.info):
        yield
