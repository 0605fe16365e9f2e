"""What `machine swarm-mode` does: look at clusters, hand out tokens and keys, promote, demote, leave, unlock."""

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
from machine.errors import MachineError, SwarmModeError
from machine.session import LOCK_SECONDS, Session, records
from machine.store import Record
from machine.wait import NotYet, until

PROMOTE_SECONDS = 60.0


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

    def shown(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def clusters(session: Session) -> list[str]:
    """The names of all clusters that machines of this store are in."""
    found = []
    for record in records(session.store):
        try:
            what = members.membership(record)
        except MachineError as error:
            session.console.warn(f"{error.brief}: {error.details}")
            continue
        found += [what.cluster] if what else []
    return sorted(set(found))


def look(session: Session, cluster: str) -> list[Row]:
    """Every node that a manager of the cluster knows, and every machine that is none (yet); nothing raises."""
    machines = members.members(session, cluster)
    manager = members.find_manager(session, cluster)
    try:
        nodes = api.nodes(manager.engine) if manager is not None else []
    except MachineError as error:  # it was there a moment ago
        session.console.warn(f"{error.brief}: {error.details}" if error.details else error.brief)
        manager = None
    if manager is None:
        return [_unreachable(record, what, "no manager answers") for record, what in machines]
    rows, listed = [], {}
    for record, what in machines:
        node = members.own_node(record, what, nodes)
        if node is None:
            rows.append(_unreachable(record, what, "not a member"))
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
        node.engine,
    )


def _unreachable(record: Record, what: Membership, why: str) -> Row:
    return Row(
        what.cluster, record.name, what.node_id, record.name, what.role, "", "", "unknown", record.address(), "", why
    )


def token(session: Session, cluster: str, role: str, *, rotate: bool = False) -> str:
    """What an engine of elsewhere needs to join as `role`; with `rotate` a new one, and the old one is void."""
    manager = members.require_manager(session, cluster)
    if rotate:
        with members.cluster_lock(session, cluster):
            api.rotate(manager.engine, role)
    asked = f"$(machine swarm-mode token {role} {shlex.quote(cluster)})"  # the token itself goes to stdout only
    session.console.info(
        f"for an engine elsewhere: docker -H ENGINE swarm join --token {asked} {api.control(manager.local.address)}"
    )
    return api.token(manager.engine, role)


def unlock_key(session: Session, cluster: str) -> str:
    """The key of an autolocked cluster, from a manager or, when none answers, from this store."""
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
        done = keys.unlock(session, record, members.engine_of(record))
        session.console.done(f"{name} is unlocked" if done else f"{name} is not locked")


def promote(session: Session, name: str) -> None:
    """Make a worker a manager, once its port for managers can be reached."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"promote {name}"):
        record = session.store.load(name)
        what = members.require_membership(record)
        with members.cluster_lock(session, what.cluster):
            manager = members.require_manager(session, what.cluster)
            node = _member(record, what, api.nodes(manager.engine))
            if not node.is_manager:
                _check_ports(session, record, what, manager)
                api.update(manager.engine, node.id, role="manager")
                _wait_until_manager(session, record, manager, node.id)
            members.save_membership(session, record, replace(what, role="manager"))
        keys.keep_key(session, record, manager.engine)
        session.console.done(f"{name} is a manager of the cluster {what.cluster}")


def demote(session: Session, name: str, *, force: bool = False) -> None:
    """Make a manager a worker; SwarmModeError when the cluster would lose its quorum, unless `force`."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"demote {name}"):
        record = session.store.load(name)
        what = members.require_membership(record)
        with members.cluster_lock(session, what.cluster):
            manager = members.find_manager(session, what.cluster, but=[name]) or members.require_manager(
                session, what.cluster
            )
            nodes = api.nodes(manager.engine)
            node = _member(record, what, nodes)
            reason = quorum_risk(nodes, node) or ("" if len(nodes) > 1 else "it is the only node")
            if node.is_manager and reason and not force:
                others = members.members(session, what.cluster, but=[name])
                workers = [other.name for other, theirs in others if theirs.role == "worker"]
                another = f"swarm-mode promote {workers[0]}" if workers else "create --swarm-mode manager NAME"
                raise SwarmModeError(
                    f"the cluster {what.cluster} would break without the manager {name}",
                    details=reason,
                    resolution=f"make another manager first: machine {another}",
                )
            leaving.demote(session, record, manager.engine, node)
            members.save_membership(session, record, replace(what, role="worker"))
            keys.drop_key(session, record)
        session.console.done(f"{name} is a worker of the cluster {what.cluster}")


def leave(session: Session, name: str, *, force: bool = False, together: Sequence[str] = ()) -> None:
    """Take a machine out of its cluster; the machine stays."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"take {name} out of its cluster"):
        record = session.store.load(name)
        what = members.require_membership(record)
        leaving.leave(session, record, stays=True, force=force, together=together)
        members.save_membership(session, record, None)
        keys.drop_key(session, record)
        session.console.done(f"{name} is in no cluster any more (it was in {what.cluster})")


def _member(record: Record, what: Membership, nodes: Sequence[Node]) -> Node:
    node = members.own_node(record, what, nodes)
    if node is None:
        raise SwarmModeError(
            f"the managers of the cluster {what.cluster} do not know {record.name}",
            resolution=f"machine provision {record.name} makes it join",
        )
    return node


def _check_ports(session: Session, record: Record, what: Membership, manager: members.Manager) -> None:
    endpoint = record.endpoint()
    if endpoint is None or not registry.find(record.driver_name).traits.provisions:
        return
    mine, platform = registry.traits_of(record.driver_name), registry.traits_of(manager.record.driver_name)
    here = Side(record.name, members.advertised(record, what, endpoint), mine.firewall, manager=True)
    there = Side(manager.record.name, manager.local.address, platform.firewall, manager=True)
    border = mine.behind_nat != platform.behind_nat
    connectivity.check(session, record, here, manager.record, there, behind_nat=border)


def _wait_until_manager(session: Session, record: Record, manager: members.Manager, node_id: str) -> None:
    def probe() -> None:
        if not any(one.id == node_id and one.reachable for one in api.nodes(manager.engine)):
            raise NotYet

    until(
        probe,
        what=f"{record.name} to be a manager",
        seconds=PROMOTE_SECONDS,
        clock=session.clock,
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )
