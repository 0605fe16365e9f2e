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
from machine.clusters.swarm_mode.membership import KEY, PUBLIC, Membership, read
from machine.clusters.swarm_mode.nodes import Node, find_own_node
from machine.errors import EngineError, MachineError, SwarmModeError
from machine.model import Endpoint
from machine.session import Session, records
from machine.store import Record

ASK_SECONDS = 5.0
CHANGE_SECONDS = 40.0  # /swarm/join answers after 20 s at the latest
LOCK_SECONDS = 600.0


@dataclass(frozen=True)
class Manager:
    """A machine of the store whose engine manages its cluster now."""

    record: Record
    engine: engine.Engine
    local: api.LocalNode


def membership(record: Record) -> Membership | None:
    """What the record says; RecordBroken when it makes no sense."""
    return read((record.raw.get("Machine") or {}).get(KEY), record.name)


def require_membership(record: Record) -> Membership:
    """The same for a machine that must be in a cluster; SwarmModeError."""
    found = membership(record)
    if found is None:
        classic = record.swarm_options()
        if classic.is_swarm or classic.agent or classic.master:
            raise SwarmModeError(
                f"{record.name} is in a classic swarm, which has no nodes to promote or demote and no keys",
                resolution=f"machine ls shows its master; machine rm {record.name} takes it out of it",
            )
        raise SwarmModeError(
            f"{record.name} is in no cluster of swarm mode",
            resolution="machine create --swarm-mode worker NAME makes a machine that is",
        )
    return found


def save_membership(session: Session, record: Record, what: Membership | None) -> None:
    """Write it down; None: in no cluster any more."""
    known = record.raw["Machine"]
    before = known.get(KEY)
    if what is None:
        known.pop(KEY, None)
    else:
        known[KEY] = what.dump()
    if known.get(KEY) != before:
        session.store.save(record)


def engine_of(record: Record, endpoint: Endpoint | None = None, timeout: float = CHANGE_SECONDS) -> engine.Engine:
    """The machine's engine, as seen from here. EngineError while its address is not known."""
    there = endpoint or record.endpoint()
    if there is None:
        raise EngineError(f"{record.name} has no address yet", resolution=f"machine create --resume {record.name}")
    return clients.engine_at(record, there.address, there.engine_port, timeout)


def members(session: Session, cluster: str, but: Collection[str] = ()) -> list[tuple[Record, Membership]]:
    """The machines of a cluster in this store, managers first."""
    found = []
    for record in records(session.store):
        with contextlib.suppress(MachineError):
            what = membership(record)
            if what is not None and what.cluster == cluster and record.name not in but:
                found.append((record, what))
    return sorted(found, key=lambda pair: (pair[1].role != "manager", names.natural_key(pair[0].name)))


def ask(record: Record) -> api.LocalNode | None:
    """What the machine's engine says of its cluster; None when it does not answer."""
    try:
        return api.local(engine_of(record, timeout=ASK_SECONDS))
    except MachineError:
        return None


def find_manager(session: Session, cluster: str, but: Collection[str] = ()) -> Manager | None:
    """The first machine of the cluster whose engine is a manager that can act; None if none answers so."""
    for record, _ in members(session, cluster, but):
        try:
            manager_engine = engine_of(record, timeout=ASK_SECONDS)
            there = api.local(manager_engine)
            if there.is_manager:
                api.cluster(manager_engine)  # fails without a leader
                manager_engine.timeout = CHANGE_SECONDS
                return Manager(record, manager_engine, there)
        except MachineError:
            continue
    return None


def require_manager(session: Session, cluster: str) -> Manager:
    """The same; SwarmModeError when there is none."""
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


def advertised(record: Record, what: Membership, endpoint: Endpoint) -> str:
    """The IP address by which the other nodes shall reach the machine. SwarmModeError when it can be none."""
    usual = what.address or endpoint.peer_address or endpoint.address
    name = endpoint.address if what.address == PUBLIC else usual
    try:
        address = str(socket.getaddrinfo(name, 2377, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise SwarmModeError(f"{name}, the address of {record.name}, cannot be looked up", details=str(error)) from None
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise SwarmModeError(
            f"{record.name} is known by {address} only, where no other node could reach it",
            resolution=f"machine rm {record.name}, then create it with --swarm-addr, an address that others reach",
        )
    return address


def own_node(record: Record, what: Membership, nodes: Collection[Node]) -> Node | None:
    """The machine's row in the cluster's list."""
    endpoint = record.endpoint()
    addresses = {what.address, *(endpoint.addresses if endpoint else ())}
    return find_own_node(nodes, what.node_id, names.hostname(record.name), addresses)


@contextlib.contextmanager
def cluster_lock(session: Session, cluster: str) -> Iterator[None]:
    """Be the only command of this store that changes the cluster."""
    safe = re.sub(r"[^a-zA-Z0-9.-]", "_", cluster)[:40]
    noun = f"swarm-mode-{safe}-{hashlib.sha256(cluster.encode()).hexdigest()[:8]}"
    what = f"change the cluster {cluster}"
    with session.store.lock(noun, seconds=LOCK_SECONDS, what=what, say=session.console.info):
        yield
