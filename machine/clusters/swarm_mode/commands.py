"""What `machine swarm-mode` does: list nodes, print tokens and keys, promote, demote, leave, unlock."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from machine.clusters.swarm_mode import api, connectivity, members
from machine.clusters.swarm_mode import leave as leaving
from machine.clusters.swarm_mode import unlock_key as keys
from machine.clusters.swarm_mode.membership import Membership
from machine.clusters.swarm_mode.nodes import Node, fault_tolerance, quorum_risk
from machine.clusters.swarm_mode.ports import Side
from machine.drivers import registry
from machine.errors import EngineError, MachineError, SwarmModeError
from machine.session import LOCK_SECONDS, Session, readable_records
from machine.store import Record
from machine.wait import NotYet, until

PROMOTE_SECONDS = 60.0
NO_MANAGER, SILENT, NOT_A_MEMBER = "no manager answers", "does not answer its managers", "not a member"  # of a row


@dataclass(frozen=True)
class Row:
    """One node, or one machine whose cluster does not answer."""

    cluster: str
    machine: str  # "" for a node that is no machine of this store
    node: str  # id
    hostname: str
    role: str
    manager: str  # Leader, Reachable, Unreachable, "" for workers
    availability: str
    state: str
    address: str
    engine: str  # version
    error: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the row as an object for JSON."""
        return asdict(self)


def clusters(session: Session) -> list[str]:
    """Return the names of all clusters that machines of this store are in."""
    found = []
    for record in readable_records(session.store):
        try:
            membership = members.membership_of(record)
        except MachineError as error:
            session.console.warn(f"{error.brief}: {error.details}")
            continue
        found += [membership.cluster] if membership else []
    return sorted(set(found))


def list_nodes(session: Session, cluster: str) -> list[Row]:
    """Return every node that a manager of the cluster knows, and every machine that is no node. Never raises."""
    machines = members.members(session, cluster)
    manager = members.find_manager(session, cluster)
    try:
        nodes = api.nodes(manager.engine) if manager is not None else []
    except MachineError as error:  # it was there a moment ago
        session.console.warn(f"{error.brief}: {error.details}" if error.details else error.brief)
        manager = None
    if manager is None:
        return [_unreachable(record, membership, NO_MANAGER) for record, membership in machines]
    rows, listed = [], {}
    for record, membership in machines:
        node = members.own_node(record, membership, nodes)
        if node is None:
            rows.append(_unreachable(record, membership, NOT_A_MEMBER))
        else:
            listed[node.id] = record.name
    rows += [_row(cluster, listed.get(node.id, ""), node) for node in nodes]
    note = fault_tolerance(sum(node.is_manager for node in nodes))
    if note:
        session.console.info(f"{cluster}: {note}")
    return sorted(rows, key=lambda row: (row.role != "manager", row.machine == "", row.machine, row.hostname))


def _row(cluster: str, machine: str, node: Node) -> Row:
    manager = ""
    if node.leader:
        manager = "Leader"
    elif node.is_manager:
        manager = "Reachable" if node.reachable else "Unreachable"
    address = node.addresses[0] if node.addresses else ""
    return Row(
        cluster,
        machine,
        node.id,
        node.hostname,
        node.role,
        manager,
        node.availability,
        node.state,
        address,
        node.engine_version,
        SILENT if machine and (node.state == "down" or manager == "Unreachable") else "",
    )


def _unreachable(record: Record, membership: Membership, error: str) -> Row:
    return Row(
        membership.cluster,
        record.name,
        membership.node_id,
        record.name,
        membership.role,
        "",
        "",
        "unknown",
        record.address(),
        "",
        error,
    )


def token(session: Session, cluster: str, role: str, *, rotate: bool = False) -> str:
    """Return the token with which an engine elsewhere joins as `role`; with `rotate` a new one, the old one is void."""
    manager = members.require_manager(session, cluster)
    if rotate:
        with members.cluster_lock(session, cluster):
            api.rotate(manager.engine, role)
    token_command = f"$(machine swarm-mode token {role} {shlex.quote(cluster)})"  # the token itself goes to stdout only
    address = api.control_address(manager.local.address)
    session.console.info(f"for an engine elsewhere: docker -H ENGINE swarm join --token {token_command} {address}")
    return api.token(manager.engine, role)


def unlock_key(session: Session, cluster: str) -> str:
    """Return the unlock key of a cluster, from a manager or, when none answers, from this store.

    Raises SwarmModeError if the cluster has none.
    """
    manager = members.find_manager(session, cluster)
    found = api.unlock_key(manager.engine) if manager else "".join(keys.stored(session, cluster)[:1])
    if not found:
        raise SwarmModeError(
            f"the cluster {cluster} has no unlock key",
            resolution="it has none without autolock: docker swarm update --autolock=true, or --swarm-autolock at the"
            " first create",
        )
    return found


def unlock(session: Session, name: str) -> None:
    """Unlock the engine of a machine that came up locked."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"unlock {name}"):
        record = session.store.load(name)
        members.require_membership(record)
        unlocked = keys.unlock(session, record, members.engine_of(record))
        session.console.done(f"{name} is unlocked" if unlocked else f"{name} is not locked")


def promote(session: Session, name: str) -> None:
    """Make a worker a manager, once its port for managers can be reached."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"promote {name}"):
        record = session.store.load(name)
        membership = members.require_membership(record)
        with members.cluster_lock(session, membership.cluster):
            manager = members.require_manager(session, membership.cluster)
            node = _member(record, membership, api.nodes(manager.engine))
            if not node.is_manager:
                _check_ports(session, record, membership, manager)
                api.update(manager.engine, node.id, role="manager")
                _wait_until_manager(session, record, manager, node.id)
            members.save_membership(session, record, replace(membership, role="manager"))
        keys.keep_key(session, record, manager.engine)
        session.console.done(f"{name} is a manager of the cluster {membership.cluster}")


def demote(session: Session, name: str, *, force: bool = False) -> None:
    """Make a manager a worker. Raises SwarmModeError if the cluster would lose its quorum, unless `force`."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"demote {name}"):
        record = session.store.load(name)
        membership = members.require_membership(record)
        with members.cluster_lock(session, membership.cluster):
            manager = members.find_manager(session, membership.cluster, excluding=[name]) or members.require_manager(
                session, membership.cluster
            )
            nodes = api.nodes(manager.engine)
            node = _member(record, membership, nodes)
            reason = quorum_risk(nodes, node) or ("" if len(nodes) > 1 else "it is the only node")
            if node.is_manager and reason and not force:
                others = members.members(session, membership.cluster, excluding=[name])
                workers = [other.name for other, its_membership in others if its_membership.role == "worker"]
                another = f"swarm-mode promote {workers[0]}" if workers else "create --swarm-mode manager NAME"
                raise SwarmModeError(
                    f"the cluster {membership.cluster} would break without the manager {name}",
                    details=reason,
                    resolution=f"make another manager first: machine {another}",
                )
            leaving.demote(session, record, manager.engine, node)
            members.save_membership(session, record, replace(membership, role="worker"))
            keys.drop_key(session, record)
        session.console.done(f"{name} is a worker of the cluster {membership.cluster}")


def leave(session: Session, name: str, *, force: bool = False, also_removed: Sequence[str] = ()) -> None:
    """Take a machine out of its cluster; the machine stays."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"take {name} out of its cluster"):
        record = session.store.load(name)
        membership = members.require_membership(record)
        leaving.leave(session, record, keep_host=True, force=force, also_removed=also_removed)
        members.save_membership(session, record, None)
        keys.drop_key(session, record)
        session.console.done(f"{name} is in no cluster any more (it was in {membership.cluster})")


def _member(record: Record, membership: Membership, nodes: Sequence[Node]) -> Node:
    node = members.own_node(record, membership, nodes)
    if node is None:
        raise SwarmModeError(
            f"the managers of the cluster {membership.cluster} do not know {record.name}",
            resolution=f"machine provision {record.name} makes it join",
        )
    return node


def _check_ports(session: Session, record: Record, membership: Membership, manager: members.Manager) -> None:
    endpoint = record.endpoint()
    if endpoint is None or not registry.find_recorded(record.driver_name, record.name).traits.has_host:
        return
    own_traits, manager_traits = registry.traits_of(record.driver_name), registry.traits_of(manager.record.driver_name)
    own_side = Side(
        record.name, members.advertised_address(record, membership, endpoint), own_traits.firewall, is_manager=True
    )
    manager_side = Side(manager.record.name, manager.local.address, manager_traits.firewall, is_manager=True)
    across_nat = own_traits.behind_nat != manager_traits.behind_nat
    connectivity.check(session, record, own_side, manager.record, manager_side, behind_nat=across_nat)


def _wait_until_manager(session: Session, record: Record, manager: members.Manager, node_id: str) -> None:
    """Wait until the other managers reach it and it answers as one itself, which comes a moment later."""

    def probe() -> None:
        if not any(one.id == node_id and one.reachable for one in api.nodes(manager.engine)):
            raise NotYet("the other managers do not reach it")
        try:
            if not api.local_node(members.engine_of(record)).is_manager:
                raise NotYet("its engine does not answer as a manager")
        except EngineError as error:
            raise NotYet.because(error) from error

    until(
        probe,
        what=f"{record.name} to be a manager",
        seconds=PROMOTE_SECONDS,
        clock=session.clock,
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )
