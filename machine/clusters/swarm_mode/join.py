"""Founding a cluster, or joining the one that is there."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from machine import clients
from machine.clusters.swarm_mode import api, connectivity, members, membership, unlock_key
from machine.clusters.swarm_mode.members import Manager
from machine.clusters.swarm_mode.membership import Membership
from machine.clusters.swarm_mode.nodes import fault_tolerance, pool
from machine.clusters.swarm_mode.ownership import is_own_cluster
from machine.clusters.swarm_mode.ports import Side
from machine.drivers import registry
from machine.drivers.base import Driver
from machine.engine import Engine
from machine.errors import EngineRefused, MachineError, PreflightFailed, SwarmModeError
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record
from machine.wait import NotYet, until

MANAGER_SECONDS = 900.0  # for a manager that is being made by somebody else just now
MEMBER_SECONDS = 120.0
NETWORKS = "ip -o -4 address show scope global | awk '{print $4}'"


def check(session: Session, record: Record, driver: Driver) -> None:
    """Before the machine is made: PreflightFailed when there is nothing to join, or it could never reach it."""
    what = members.require_membership(record)
    if not driver.traits.provisions:
        raise no_host(driver.traits.name)
    others = members.members(session, what.cluster, but=[record.name])
    managers = [(other, theirs) for other, theirs in others if theirs.role == "manager"]
    if what.role == "worker" and not managers:
        known = f" --swarm-discovery {what.cluster}" if what.cluster != membership.DEFAULT_CLUSTER else ""
        raise PreflightFailed(
            f"the cluster {what.cluster} has no manager that {record.name} could join",
            resolution=f"machine create --swarm-mode manager{known} NAME, then this command again",
        )
    for other, theirs in managers:
        _check_nat(record, what, driver, other, theirs)
    if (
        managers
        and all(other.reached("ready") for other, _ in managers)
        and not members.find_manager(session, what.cluster)
    ):
        raise PreflightFailed(
            f"no manager of the cluster {what.cluster} answers, so {record.name} could not join",
            resolution=f"machine start {' '.join(other.name for other, _ in managers)}; machine ls shows their state",
        )


def no_host(driver_name: str) -> PreflightFailed:
    """Return the error for a machine that is only a URL and so cannot be a node."""
    return PreflightFailed(
        f"the driver {driver_name} cannot take part in swarm mode: there is no host to set up",
        resolution="leave --swarm-mode out, or choose a driver that makes hosts",
    )


def _check_nat(record: Record, what: Membership, driver: Driver, other: Record, theirs: Membership) -> None:
    """One of the two is behind this computer's NAT and the other does not: neither way would ever work."""
    platform, far = registry.traits_of(other.driver_name), driver.traits.behind_nat
    near = platform.behind_nat
    alike = near == far and (not near or other.driver_name == driver.traits.name)
    if alike or what.address or theirs.address or driver.traits.existing_host or platform.existing_host:
        return
    inside, outside = (other.name, record.name) if near else (record.name, other.name)
    raise PreflightFailed(
        f"{record.name} ({record.driver_name}) and the manager {other.name} ({other.driver_name})"
        " cannot form a cluster",
        details=f"{inside} is behind this computer's NAT: {outside} could reach none of its ports, and swarm mode"
        " wants every node to reach every other (2377/tcp, 7946/tcp and udp, 4789/udp)",
        resolution="make all of them with one driver, or give an address that others reach (--swarm-addr);"
        f" {connectivity.CLASSIC}",
    )


def join(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Bring the engine into its cluster, from wherever an earlier try left it."""
    what = members.require_membership(record)
    engine = members.engine_of(record, endpoint)
    here = _wait_settled(session, record, engine)
    if here.state == "locked":
        unlock_key.unlock(session, record, engine)
        here = _wait_settled(session, record, engine)
    if here.state == "active":
        _confirm(session, record, engine, here)
        return
    if here.state == "error":
        if what.node_id or what.founder:
            raise _unhealthy(record, what, here)
        if not what.cluster_id:
            raise in_other_cluster(record, what)  # an adopted host's own, out of order
        api.leave(engine)  # a join that was refused for good; nothing of it is worth keeping
    if what.role == "worker":
        _wait_for_a_manager(session, record, what.cluster)
    with members.cluster_lock(session, what.cluster):
        manager = members.find_manager(session, what.cluster, but=[record.name])
        if manager is not None:
            _join(session, record, endpoint, engine, manager)
        else:
            _init_cluster(session, record, endpoint, engine)


def _wait_settled(session: Session, record: Record, engine: Engine) -> api.LocalNode:
    """Wait until the engine knows after its start whether it is in a cluster, and return its membership."""

    def probe() -> api.LocalNode:
        here = api.local(engine)
        if here.state == "pending":
            raise NotYet(here.error)
        return here

    return until(
        probe,
        what=f"{record.name} to say whether it is in a cluster",
        seconds=MEMBER_SECONDS,
        clock=session.clock,
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )


def _wait_for_a_manager(session: Session, record: Record, cluster: str) -> None:
    """Wait until a manager answers, as long as somebody is making one; joining raises where there is none."""

    def probe() -> None:
        if members.find_manager(session, cluster, but=[record.name]) is not None:
            return
        under_way = [
            other.name
            for other, theirs in members.members(session, cluster, but=[record.name])
            if theirs.role == "manager" and not theirs.node_id and session.store.holder(f"machine-{other.name}")
        ]
        if under_way:
            raise NotYet(f"being made now: {', '.join(under_way)}")

    until(
        probe,
        what=f"a manager of the cluster {cluster}",
        seconds=MANAGER_SECONDS,
        clock=session.clock,
        every=1.0,
        resolution=f"machine create --resume {record.name} goes on once there is one",
    )


def _confirm(session: Session, record: Record, engine: Engine, here: api.LocalNode) -> None:
    """The engine is in a cluster: is it the right one? Then note what it is there."""
    what = members.require_membership(record)
    cluster_id = _cluster_of(session, record, here)
    role = "manager" if here.is_manager else "worker"
    members.save_membership(session, record, replace(what, role=role, node_id=here.node_id, cluster_id=cluster_id))
    if here.is_manager:
        unlock_key.keep_key(session, record, engine)


def check_host(session: Session, record: Record, swarm: object) -> None:
    """Refuse a host whose running engine is in a cluster that is not the machine's, before the host is changed.

    `swarm` is the object Swarm of the engine's /info. Raises SwarmModeError.
    """
    here = api.local_from(swarm)
    if here.state == "active":
        _cluster_of(session, record, here)


def _cluster_of(session: Session, record: Record, here: api.LocalNode) -> str:
    """Return the id of the cluster that the engine is in, once it is known to be the machine's own.

    Raises SwarmModeError when it is another cluster, or when nobody can tell which one it is.
    """
    what = members.require_membership(record)
    others = members.members(session, what.cluster, but=[record.name])
    ids = {theirs.cluster_id for _, theirs in others if theirs.cluster_id}
    ours = is_own_cluster(what, here, ids)
    if ours is None:
        manager = members.find_manager(session, what.cluster, but=[record.name])
        if manager is None:
            raise _unknown_cluster(record, what, [other.name for other, theirs in others if theirs.role == "manager"])
        ids = {manager.local.cluster_id}
        ours = here.node_id in {node.id for node in api.nodes(manager.engine)}
    if not ours:
        raise in_other_cluster(record, what)
    return here.cluster_id or what.cluster_id or min(ids, default="")


def _unknown_cluster(record: Record, what: Membership, managers: list[str]) -> SwarmModeError:
    if not managers:  # nobody ever could tell: it is none of this store's doing
        return in_other_cluster(record, what)
    return SwarmModeError(
        f"{record.name} is in a cluster, and no manager of {what.cluster} answers to say in which",
        resolution=f"machine start {' '.join(managers)}, then machine provision {record.name}",
    )


def in_other_cluster(record: Record, what: Membership) -> SwarmModeError:
    """Return the error for an engine that is in a cluster which this program did not bring it into."""
    return SwarmModeError(
        f"{record.name} is in another cluster already, not in {what.cluster}",
        resolution=f"machine ssh {record.name} sudo docker swarm leave --force, if that one can do without it;"
        f" then machine provision {record.name}",
    )


def _init_cluster(session: Session, record: Record, endpoint: Endpoint, engine: Engine) -> None:
    """Start the cluster here, unless it may exist where nobody answers."""
    what = members.require_membership(record)
    others = members.members(session, what.cluster, but=[record.name])
    begun = [
        other.name
        for other, theirs in others
        if (theirs.node_id or theirs.founder) and ((there := members.ask(other)) is None or there.state != "inactive")
    ]
    managers = [other.name for other, theirs in others if theirs.role == "manager"]
    if begun or what.role == "worker":
        raise SwarmModeError(
            f"no manager of the cluster {what.cluster} answers, so {record.name} cannot join it",
            details=f"its other machines: {', '.join(begun)}" if begun else "it has no other machine in this store",
            resolution=_resolution_for(record, what, [name for name in begun if name in managers], begun),
        )
    session.console.step(f"Starting the cluster {what.cluster}")
    address = members.advertised(record, what, endpoint)
    pools = pool(_networks(session, record, endpoint), what.pools)
    wish = replace(what, founder=True, node_id="", cluster_id="")
    members.save_membership(session, record, wish)  # before it is so, that no second cluster comes of a kill
    try:
        api.init(engine, what, address, pools)
    except EngineRefused as error:
        if "already part of a swarm" in error.details:  # somebody else's command was faster: that cluster is not ours
            members.save_membership(session, record, what)
        raise
    _confirm(session, record, engine, _wait_settled(session, record, engine))
    session.console.info(f"{record.name} manages the new cluster {what.cluster} at {address}")


def _resolution_for(record: Record, what: Membership, managers: list[str], begun: list[str]) -> str:
    """What brings a cluster that nobody answers for back, or lets go of it."""
    if managers:
        return f"machine start {' '.join(managers)}"
    again = f"machine create --resume {record.name}"
    if what.role == "worker":
        return f"machine create --swarm-mode manager NAME, then {again}"
    left = "; ".join(f"machine ssh {name} sudo docker swarm leave --force" for name in begun)
    after = "; ".join(f"machine provision {name}" for name in begun)
    return f"they have lost their managers; to start over with them: {left}; {again}; {after}"


def _networks(session: Session, record: Record, endpoint: Endpoint) -> list[str]:
    """The host's own networks, as far as it tells."""
    try:
        with clients.connect(record, endpoint) as shell:
            said = shell.run(NETWORKS, timeout=20).stdout.split()
    except MachineError as error:
        session.console.debug(f"the networks of {record.name} are not known: {error.brief}")
        return []
    found = []
    for text in said:
        try:
            found.append(str(ipaddress.IPv4Interface(text)))
        except ValueError:
            continue
    return found


def _join(session: Session, record: Record, endpoint: Endpoint, engine: Engine, manager: Manager) -> None:
    """Join through a living manager, over TLS, with a token that is asked for now and kept nowhere."""
    what = members.require_membership(record)
    passed_over = membership.settings(what)
    if passed_over:
        session.console.warn(f"the cluster {what.cluster} exists already; not looked at: {passed_over}")
    address = members.advertised(record, what, endpoint)
    mine, platform = registry.traits_of(record.driver_name), registry.traits_of(manager.record.driver_name)
    here = Side(record.name, address, mine.firewall, what.role == "manager")
    there = Side(manager.record.name, manager.local.address, platform.firewall, manager=True)
    border = mine.behind_nat != platform.behind_nat
    connectivity.check(session, record, here, manager.record, there, behind_nat=border)
    session.console.step(f"Joining the cluster {what.cluster} as {what.role}")
    token = api.token(manager.engine, what.role)
    session.console.hide(token)
    members.save_membership(
        session, record, replace(what, cluster_id=manager.local.cluster_id)
    )  # what comes now is of our making
    api.join(engine, what, address, manager.local.managers or (api.control(manager.local.address),), token)
    here_now = _wait_settled(session, record, engine)
    if here_now.state != "active":
        raise _unhealthy(record, what, here_now)
    known = replace(what, node_id=here_now.node_id, cluster_id=manager.local.cluster_id)
    members.save_membership(session, record, known)
    if here_now.is_manager:
        unlock_key.keep_key(session, record, engine)
    _see_ready(session, record, manager)


def _unhealthy(record: Record, what: Membership, here: api.LocalNode) -> SwarmModeError:
    verb = "is not ready in" if what.node_id else "could not join"
    return SwarmModeError(
        f"{record.name} {verb} the cluster {what.cluster}",
        details=here.error or f"its engine says {here.state}",
        resolution=f"machine ssh {record.name} sudo journalctl -u docker -n 50",
    )


def _see_ready(session: Session, record: Record, manager: Manager) -> None:
    """Wait until the manager lists the new node as ready."""
    what = members.require_membership(record)

    def probe() -> int:
        nodes = api.nodes(manager.engine)
        node = next((one for one in nodes if one.id == what.node_id), None)
        if node is None:
            raise NotYet("it is not listed")
        if node.state != "ready":
            raise NotYet(f"{manager.record.name} says it is {node.state}")
        return sum(one.is_manager for one in nodes)

    managers = until(
        probe,
        what=f"{record.name} to be ready in the cluster {what.cluster}",
        seconds=MEMBER_SECONDS,
        clock=session.clock,
        resolution=f"machine swarm-mode ls {what.cluster}",
    )
    session.console.info(f"{record.name} is a {what.role} of the cluster {what.cluster}")
    if what.role == "manager" and fault_tolerance(managers):
        session.console.info(fault_tolerance(managers))
