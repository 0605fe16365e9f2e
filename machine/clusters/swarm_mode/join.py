"""Founding a cluster, or joining the one that is there."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from machine import clients
from machine.clusters.swarm_mode import api, connectivity, members, unlock_key
from machine.clusters.swarm_mode.members import Manager
from machine.clusters.swarm_mode.membership import DEFAULT_CLUSTER, Membership, cluster_wide_flags
from machine.clusters.swarm_mode.nodes import address_pools, fault_tolerance
from machine.clusters.swarm_mode.ownership import is_own_cluster
from machine.clusters.swarm_mode.ports import Side
from machine.drivers import registry
from machine.drivers.base import Driver
from machine.engine import EngineClient
from machine.errors import EngineRefused, MachineError, PreflightFailed, SwarmModeError
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record
from machine.wait import NotYet, until

MANAGER_SECONDS = 900.0  # for a manager that is being made by somebody else just now
MEMBER_SECONDS = 120.0
NETWORKS = "ip -o -4 address show scope global | awk '{print $4}'"


def check(session: Session, record: Record, driver: Driver) -> None:
    """Raise PreflightFailed when a machine that is to be made would have no cluster to join, or could not reach it."""
    membership = members.require_membership(record)
    if not driver.traits.has_host:
        raise no_host(driver.traits.name)
    others = members.members(session, membership.cluster, excluding=[record.name])
    managers = [(other, its_membership) for other, its_membership in others if its_membership.role == "manager"]
    if membership.role == "worker" and not managers:
        known = f" --swarm-discovery {membership.cluster}" if membership.cluster != DEFAULT_CLUSTER else ""
        raise PreflightFailed(
            f"the cluster {membership.cluster} has no manager that {record.name} could join",
            resolution=f"machine create --swarm-mode manager{known} NAME, then this command again",
        )
    for other, theirs in managers:
        _check_nat(record, membership, driver, other, theirs)
    if (
        managers
        and all(other.reached("ready") for other, _ in managers)
        and not members.find_manager(session, membership.cluster)
    ):
        raise PreflightFailed(
            f"no manager of the cluster {membership.cluster} answers, so {record.name} could not join",
            resolution=f"machine start {' '.join(other.name for other, _ in managers)}; machine ls shows their state",
        )


def no_host(driver_name: str) -> PreflightFailed:
    """Return the error for a machine that is only a URL and so cannot be a node."""
    return PreflightFailed(
        f"the driver {driver_name} cannot take part in swarm mode: there is no host to set up",
        resolution="leave --swarm-mode out, or choose a driver that makes hosts",
    )


def _check_nat(
    record: Record, membership: Membership, driver: Driver, other: Record, its_membership: Membership
) -> None:
    """Raise PreflightFailed when one of two machines is behind this computer's NAT, and the other one is not."""
    manager_traits, own_behind_nat = registry.traits_of(other.driver_name), driver.traits.behind_nat
    manager_behind_nat = manager_traits.behind_nat
    alike = manager_behind_nat == own_behind_nat and (not manager_behind_nat or other.driver_name == driver.traits.name)
    if (
        alike
        or membership.address
        or its_membership.address
        or driver.traits.existing_host
        or manager_traits.existing_host
    ):
        return
    inside, outside = (other.name, record.name) if manager_behind_nat else (record.name, other.name)
    raise PreflightFailed(
        f"{record.name} ({record.driver_name}) and the manager {other.name} ({other.driver_name})"
        " cannot form a cluster",
        details=f"{inside} is behind this computer's NAT: {outside} could reach none of its ports, and swarm mode"
        " wants every node to reach every other (2377/tcp, 7946/tcp and udp, 4789/udp)",
        resolution="make all of them with one driver, or give an address that others reach (--swarm-addr);"
        f" {connectivity.CLASSIC}",
    )


def join(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Make the engine a node of its cluster, from wherever an earlier try ended.

    Raises SwarmModeError if it is in another cluster, or its part in this one is lost.
    """
    membership = members.require_membership(record)
    engine = members.engine_of(record, endpoint)
    local = _wait_until_known(session, record, engine)
    if local.state == "locked":
        unlock_key.unlock(session, record, engine)
        local = _wait_until_known(session, record, engine)
    if local.state == "active":
        _save_own_node(session, record, engine, local)
        return
    if local.state == "error":
        if membership.node_id or membership.founder:
            raise _unhealthy(record, membership, local)
        if not membership.cluster_id:
            raise in_other_cluster(record, membership)  # an adopted host's own, out of order
        api.leave(engine)  # the join was refused and is not repeated; nothing of it is worth keeping
    if membership.role == "worker":
        _wait_for_a_manager(session, record, membership.cluster)
    with members.cluster_lock(session, membership.cluster):
        manager = members.find_manager(session, membership.cluster, excluding=[record.name])
        if manager is not None:
            _join(session, record, endpoint, engine, manager)
        else:
            _init_cluster(session, record, endpoint, engine)


def _wait_until_known(session: Session, record: Record, engine: EngineClient) -> api.LocalNode:
    """Wait until the engine knows after its start whether it is in a cluster, and return its membership."""

    def probe() -> api.LocalNode:
        local = api.local_node(engine)
        if local.state == "pending":
            raise NotYet(local.error)
        return local

    return until(
        probe,
        what=f"{record.name} to say whether it is in a cluster",
        seconds=MEMBER_SECONDS,
        clock=session.clock,
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )


def _wait_for_a_manager(session: Session, record: Record, cluster: str) -> None:
    """Wait until a manager answers, as long as one is being made; where there is none, joining raises later."""

    def probe() -> None:
        if members.find_manager(session, cluster, excluding=[record.name]) is not None:
            return
        being_made = [
            other.name
            for other, its_membership in members.members(session, cluster, excluding=[record.name])
            if its_membership.role == "manager"
            and not its_membership.node_id
            and session.store.holder(f"machine-{other.name}")
        ]
        if being_made:
            raise NotYet(f"being made now: {', '.join(being_made)}")

    until(
        probe,
        what=f"a manager of the cluster {cluster}",
        seconds=MANAGER_SECONDS,
        clock=session.clock,
        every=1.0,
        resolution=f"machine create --resume {record.name} goes on once there is one",
    )


def _save_own_node(session: Session, record: Record, engine: EngineClient, local: api.LocalNode) -> None:
    """Record the node that an engine in its own cluster is. Raises SwarmModeError if it is in another cluster."""
    membership = members.require_membership(record)
    cluster_id = _cluster_of(session, record, local)
    role = "manager" if local.is_manager else "worker"
    members.save_membership(
        session, record, replace(membership, role=role, node_id=local.node_id, cluster_id=cluster_id)
    )
    if local.is_manager:
        unlock_key.keep_key(session, record, engine)


def check_host(session: Session, record: Record, swarm: object) -> None:
    """Refuse a host whose running engine is in a cluster that is not the machine's, before the host is changed.

    `swarm` is the object Swarm of the engine's /info. Raises SwarmModeError.
    """
    local = api.parse_local_node(swarm)
    if local.state == "active":
        _cluster_of(session, record, local)


def _cluster_of(session: Session, record: Record, local: api.LocalNode) -> str:
    """Return the id of the cluster that the engine is in, once it is known to be the machine's own.

    Raises SwarmModeError if it is another cluster, or if nobody can tell which one it is.
    """
    membership = members.require_membership(record)
    others = members.members(session, membership.cluster, excluding=[record.name])
    ids = {its_membership.cluster_id for _, its_membership in others if its_membership.cluster_id}
    in_own_cluster = is_own_cluster(membership, local, ids)
    if in_own_cluster is None:
        manager = members.find_manager(session, membership.cluster, excluding=[record.name])
        if manager is None:
            raise _unknown_cluster(
                record, membership, [other.name for other, theirs in others if theirs.role == "manager"]
            )
        ids = {manager.local.cluster_id}
        in_own_cluster = local.node_id in {node.id for node in api.nodes(manager.engine)}
    if not in_own_cluster:
        raise in_other_cluster(record, membership)
    return local.cluster_id or membership.cluster_id or min(ids, default="")


def _unknown_cluster(record: Record, membership: Membership, managers: list[str]) -> SwarmModeError:
    if not managers:  # nobody ever could tell: it is none of this store's doing
        return in_other_cluster(record, membership)
    return SwarmModeError(
        f"{record.name} is in a cluster, and no manager of {membership.cluster} answers to say in which",
        resolution=f"machine start {' '.join(managers)}, then machine provision {record.name}",
    )


def in_other_cluster(record: Record, membership: Membership) -> SwarmModeError:
    """Return the error for an engine that is in a cluster which this program did not bring it into."""
    return SwarmModeError(
        f"{record.name} is in another cluster already, not in {membership.cluster}",
        resolution=f"machine ssh {record.name} sudo docker swarm leave --force, if that one can do without it;"
        f" then machine provision {record.name}",
    )


def _init_cluster(session: Session, record: Record, endpoint: Endpoint, engine: EngineClient) -> None:
    """Start the cluster with this engine. Raises SwarmModeError if it may exist, with managers that do not answer."""
    membership = members.require_membership(record)
    others = members.members(session, membership.cluster, excluding=[record.name])
    in_cluster = [
        other.name
        for other, its_membership in others
        if (its_membership.node_id or its_membership.founder)
        and ((local := members.ask_local_node(other)) is None or local.state != "inactive")
    ]
    managers = [other.name for other, theirs in others if theirs.role == "manager"]
    if in_cluster or membership.role == "worker":
        raise SwarmModeError(
            f"no manager of the cluster {membership.cluster} answers, so {record.name} cannot join it",
            details=f"its other machines: {', '.join(in_cluster)}"
            if in_cluster
            else "it has no other machine in this store",
            resolution=_resolution_for(
                record, membership, [name for name in in_cluster if name in managers], in_cluster
            ),
        )
    session.console.step(f"Starting the cluster {membership.cluster}")
    address = members.advertised_address(record, membership, endpoint)
    pools = address_pools(_networks(session, record, endpoint), membership.pools)
    founding = replace(membership, founder=True, node_id="", cluster_id="")
    members.save_membership(session, record, founding)  # before it is so, that no second cluster comes of a kill
    try:
        api.init(engine, membership, address, pools)
    except EngineRefused as error:
        if "already part of a swarm" in error.details:  # somebody else's command was faster: that cluster is not ours
            members.save_membership(session, record, membership)
        raise
    _save_own_node(session, record, engine, _wait_until_known(session, record, engine))
    session.console.info(f"{record.name} manages the new cluster {membership.cluster} at {address}")


def _resolution_for(record: Record, membership: Membership, managers: list[str], in_cluster: list[str]) -> str:
    """Return what to type for a cluster none of whose managers answers: start them, or start over."""
    if managers:
        return f"machine start {' '.join(managers)}"
    again = f"machine create --resume {record.name}"
    if membership.role == "worker":
        return f"machine create --swarm-mode manager NAME, then {again}"
    leave = "; ".join(f"machine ssh {name} sudo docker swarm leave --force" for name in in_cluster)
    provision = "; ".join(f"machine provision {name}" for name in in_cluster)
    return f"they have lost their managers; to start over with them: {leave}; {again}; {provision}"


def _networks(session: Session, record: Record, endpoint: Endpoint) -> list[str]:
    """Return the host's own networks (CIDR); [] when it cannot be asked."""
    try:
        with clients.connect(record, endpoint) as shell:
            addresses = shell.run(NETWORKS, timeout=20).stdout.split()
    except MachineError as error:
        session.console.debug(f"the networks of {record.name} are not known: {error.brief}")
        return []
    found = []
    for text in addresses:
        try:
            found.append(str(ipaddress.IPv4Interface(text)))
        except ValueError:
            continue
    return found


def _join(session: Session, record: Record, endpoint: Endpoint, engine: EngineClient, manager: Manager) -> None:
    """Join by a manager that answers, over TLS, with a token that is asked for now and kept nowhere."""
    membership = members.require_membership(record)
    ignored_flags = cluster_wide_flags(membership)
    if ignored_flags:
        session.console.warn(f"the cluster {membership.cluster} exists already; not looked at: {ignored_flags}")
    address = members.advertised_address(record, membership, endpoint)
    own_traits, manager_traits = registry.traits_of(record.driver_name), registry.traits_of(manager.record.driver_name)
    own_side = Side(record.name, address, own_traits.firewall, membership.role == "manager")
    manager_side = Side(manager.record.name, manager.local.address, manager_traits.firewall, is_manager=True)
    across_nat = own_traits.behind_nat != manager_traits.behind_nat
    connectivity.check(session, record, own_side, manager.record, manager_side, behind_nat=across_nat)
    session.console.step(f"Joining the cluster {membership.cluster} as {membership.role}")
    token = api.token(manager.engine, membership.role)
    session.console.hide(token)
    # Recorded before the engine is asked: the cluster that it is in from now on is the one that we brought it into.
    members.save_membership(session, record, replace(membership, cluster_id=manager.local.cluster_id))
    managers = manager.local.managers or (api.control_address(manager.local.address),)
    api.join(engine, membership, address, managers, token)
    local = _wait_until_known(session, record, engine)
    if local.state != "active":
        raise _unhealthy(record, membership, local)
    known = replace(membership, node_id=local.node_id, cluster_id=manager.local.cluster_id)
    members.save_membership(session, record, known)
    if local.is_manager:
        unlock_key.keep_key(session, record, engine)
    _wait_until_ready(session, record, manager)


def _unhealthy(record: Record, membership: Membership, local: api.LocalNode) -> SwarmModeError:
    verb = "is not ready in" if membership.node_id else "could not join"
    return SwarmModeError(
        f"{record.name} {verb} the cluster {membership.cluster}",
        details=local.error or f"its engine says {local.state}",
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )


def _wait_until_ready(session: Session, record: Record, manager: Manager) -> None:
    """Wait until the manager lists the new node as ready."""
    membership = members.require_membership(record)

    def probe() -> int:
        nodes = api.nodes(manager.engine)
        node = next((one for one in nodes if one.id == membership.node_id), None)
        if node is None:
            raise NotYet("it is not listed")
        if node.state != "ready":
            raise NotYet(f"{manager.record.name} says it is {node.state}")
        return sum(one.is_manager for one in nodes)

    managers = until(
        probe,
        what=f"{record.name} to be ready in the cluster {membership.cluster}",
        seconds=MEMBER_SECONDS,
        clock=session.clock,
        resolution=f"machine swarm-mode ls {membership.cluster}",
    )
    session.console.info(f"{record.name} is a {membership.role} of the cluster {membership.cluster}")
    if membership.role == "manager" and fault_tolerance(managers):
        session.console.info(fault_tolerance(managers))
