"""What `machine swarm-mode` does: look at clusters, hand out tokens and keys, promote, demote, leave, unlock."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from machine.clusters.swarm_mode import connectivity, join, members
from machine.clusters.swarm_mode import leave as leaving
from machine.clusters.swarm_mode import unlock_key as keys
from machine.errors import MachineError, SwarmModeError
from machine.lifecycle.session import LOCK_SECONDS, World, open_driver, records
from machine.store import Record
from machine.swarmmode import api
from machine.swarmmode.asked import Membership
from machine.swarmmode.nodes import Node, harm, tolerates
from machine.swarmmode.ports import Side
from machine.wait import until

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


def clusters(world: World) -> list[str]:
    """The names of all clusters that machines of this store are in."""
    found = []
    for record in records(world.store):
        try:
            what = members.membership(record)
        except MachineError as error:
            world.console.warn(f"{error.brief}: {error.details}")
            continue
        found += [what.cluster] if what else []
    return sorted(set(found))


def look(world: World, cluster: str) -> list[Row]:
    """Every node that a manager of the cluster knows, and every machine that is none (yet); nothing raises."""
    machines = members.members(world, cluster)
    manager = members.living(world, cluster)
    try:
        nodes = api.nodes(manager.engine) if manager is not None else []
    except MachineError as error:  # it was there a moment ago
        world.console.warn(f"{error.brief}: {error.details}" if error.details else error.brief)
        manager = None
    if manager is None:
        return [_unheard(record, what, "no manager answers") for record, what in machines]
    rows, listed = [], {}
    for record, what in machines:
        node = members.own_node(record, what, nodes)
        if node is None:
            rows.append(_unheard(record, what, "not a member"))
        else:
            listed[node.id] = record.name
    rows += [_row(cluster, listed.get(node.id, ""), node) for node in nodes]
    note = tolerates(sum(node.is_manager for node in nodes))
    if note:
        world.console.info(f"{cluster}: {note}")
    return sorted(rows, key=lambda row: (row.role != "manager", row.machine == "", row.machine, row.hostname))


def _row(cluster: str, machine: str, node: Node) -> Row:
    manager = (
        "" if not node.is_manager else "Leader" if node.leader else "Reachable" if node.reachable else "Unreachable"
    )
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


def _unheard(record: Record, what: Membership, why: str) -> Row:
    return Row(
        what.cluster, record.name, what.node_id, record.name, what.role, "", "", "unknown", record.address(), "", why
    )


def token(world: World, cluster: str, role: str, *, rotate: bool = False) -> str:
    """What an engine of elsewhere needs to join as `role`; with `rotate` a new one, and the old one is void."""
    manager = members.needed(world, cluster)
    if rotate:
        with members.alone(world, cluster):
            api.rotate(manager.engine, role)
    asked = f"$(machine swarm-mode token {role} {shlex.quote(cluster)})"  # the token itself goes to stdout only
    world.console.info(
        f"for an engine elsewhere: docker -H ENGINE swarm join --token {asked} {api.control(manager.local.address)}"
    )
    return api.token(manager.engine, role)


def unlock_key(world: World, cluster: str) -> str:
    """The key of an autolocked cluster, from a manager or, when none answers, from this store."""
    manager = members.living(world, cluster)
    found = api.unlock_key(manager.engine) if manager else "".join(keys.stored(world, cluster)[:1])
    if not found:
        raise SwarmModeError(
            f"the cluster {cluster} has no unlock key",
            resolution="it has none without autolock: docker swarm update --autolock=true, or --swarm-autolock at the"
            " first create",
        )
    return found


def unlock(world: World, name: str) -> None:
    """Unlock the engine of a machine that came up locked."""
    with world.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"unlock {name}"):
        record = world.store.load(name)
        members.of(record)
        done = keys.unlock(world, record, members.engine_of(record))
        world.console.done(f"{name} is unlocked" if done else f"{name} is not locked")


def promote(world: World, name: str) -> None:
    """Make a worker a manager, once its port for managers can be reached."""
    with world.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"promote {name}"):
        record = world.store.load(name)
        what = members.of(record)
        with members.alone(world, what.cluster):
            manager = members.needed(world, what.cluster)
            node = _member(record, what, api.nodes(manager.engine))
            if not node.is_manager:
                _check_ports(world, record, what, manager)
                api.update(manager.engine, node.id, role="manager")
                _wait_until_manager(world, record, manager, node.id)
            members.keep(world, record, replace(what, role="manager"))
        keys.keep_key(world, record, manager.engine)
        world.console.done(f"{name} is a manager of the cluster {what.cluster}")


def demote(world: World, name: str, *, force: bool = False) -> None:
    """Make a manager a worker; SwarmModeError when the cluster would lose its quorum, unless `force`."""
    with world.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"demote {name}"):
        record = world.store.load(name)
        what = members.of(record)
        with members.alone(world, what.cluster):
            manager = members.living(world, what.cluster, but=[name]) or members.needed(world, what.cluster)
            nodes = api.nodes(manager.engine)
            node = _member(record, what, nodes)
            reason = harm(nodes, node) or ("" if len(nodes) > 1 else "it is the only node")
            if node.is_manager and reason and not force:
                others = members.members(world, what.cluster, but=[name])
                workers = [other.name for other, theirs in others if theirs.role == "worker"]
                another = f"swarm-mode promote {workers[0]}" if workers else "create --swarm-mode manager NAME"
                raise SwarmModeError(
                    f"the cluster {what.cluster} would break without the manager {name}",
                    details=reason,
                    resolution=f"make another manager first: machine {another}",
                )
            leaving.demote(world, record, manager.engine, node)
            members.keep(world, record, replace(what, role="worker"))
            keys.drop_key(world, record)
        world.console.done(f"{name} is a worker of the cluster {what.cluster}")


def leave(world: World, name: str, *, force: bool = False, together: Sequence[str] = ()) -> None:
    """Take a machine out of its cluster; the machine stays."""
    with world.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"take {name} out of its cluster"):
        record = world.store.load(name)
        what = members.of(record)
        leaving.depart(world, record, stays=True, force=force, together=together)
        members.keep(world, record, None)
        keys.drop_key(world, record)
        world.console.done(f"{name} is in no cluster any more (it was in {what.cluster})")


def _member(record: Record, what: Membership, nodes: Sequence[Node]) -> Node:
    node = members.own_node(record, what, nodes)
    if node is None:
        raise SwarmModeError(
            f"the managers of the cluster {what.cluster} do not know {record.name}",
            resolution=f"machine provision {record.name} makes it join",
        )
    return node


def _check_ports(world: World, record: Record, what: Membership, manager: members.Manager) -> None:
    endpoint = record.endpoint()
    if endpoint is None or not open_driver(world, record).provisions:
        return
    here = Side(record.name, members.advertised(record, what, endpoint), record.driver_name, manager=True)
    there = Side(manager.record.name, manager.local.address, manager.record.driver_name, manager=True)
    border = join.behind_nat(record.driver_name) != join.behind_nat(manager.record.driver_name)
    connectivity.check(world, record, here, manager.record, there, behind_nat=border)


def _wait_until_manager(world: World, record: Record, manager: members.Manager, node_id: str) -> None:
    def probe() -> bool | None:
        return True if any(one.id == node_id and one.reachable for one in api.nodes(manager.engine)) else None

    until(
        probe,
        what=f"{record.name} to be a manager",
        seconds=PROMOTE_SECONDS,
        clock=world.clock,
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )
