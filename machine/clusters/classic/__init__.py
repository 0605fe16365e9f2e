"""Classic swarm's part in a machine's life.

    check       before anything is made: do the flags make sense
    settled     what is recorded of them
    warn_unknown_token  a warning of a token that nobody here knows
    services    while it is provisioned: what the machine itself has to run (machine/provision/classic_swarm.py)
    register    once its engine answers: known to the swarm's managers
    leave       before it is removed: known to none

A machine whose discovery it can reach enters itself; this is looked at from here, and done from here where it cannot.
For a token that no service keeps, this store does it: it enters the engine in its own registry, which managers on this
computer read, and in the registry of each master of the store.
What was entered is in the record (Driver.SwarmEntered) before it is entered, so that it is found after a kill. A
machine writes that down before it looks for masters, and a master before it looks for machines: of two that are made
side by side, one sees the other.
"""

from __future__ import annotations

from collections.abc import Collection

from machine.clusters.classic import settings
from machine.clusters.classic.settings import check, check_host, resolve_discovery
from machine.errors import MachineError
from machine.model import Endpoint
from machine.provision.spec import Swarm
from machine.session import Session, records
from machine.store import Record

__all__ = [
    "check",
    "check_host",
    "leave",
    "plan_lines",
    "register",
    "resolve_discovery",
    "services",
    "warn_unknown_token",
]

ENTERED = "SwarmEntered"  # of Driver in config.json: ["host:port" as seen from here, ...as others see it]


def warn_unknown_token(session: Session, record: Record) -> None:
    """Warn of a token without a service that this store has never seen: it may be mistyped. Touches nothing."""
    options = record.swarm_options()
    scheme, _, token = options.discovery.partition("://")
    bare = scheme == "token" and "/" not in token and not session.environ.get("MACHINE_DISCOVERY_URL")
    if not (options.is_swarm and bare):
        return
    from machine.clusters.classic import store_integration
    from machine.swarm.discovery import DiscoveryError
    from machine.swarm.discovery.registry import Registry

    try:
        known = Registry(store_integration.registry(session.store)).knows(token)
    except DiscoveryError:  # a registry that is broken is told of when it is written to
        return
    if not known and not any(_uses(other, options.discovery) for other in records(session.store)):
        session.console.warn(
            "this store does not know the token, and no machine of yours uses it: a new swarm begins with"
            f" {record.name} (is the token wrong? machine rm {record.name}, and create it again)"
        )


def services(session: Session, record: Record, endpoint: Endpoint) -> Swarm | None:
    """What the machine has to run for its swarm; None if it is in none, or docker-machine's containers do it."""
    options = record.swarm_options()
    if not by_services(record):
        return None
    from machine.clusters.classic import cluster_key
    from machine.swarm.zipapp_file import bundle

    way = settings.resolve_route(options.discovery, session.environ)
    return Swarm(
        program=bundle(),
        discovery=way.url,
        manage=settings.manage(options, endpoint, way) if options.master else (),
        join=settings.join(options, endpoint) if options.agent and way.joins else (),
        port=settings.manager_at(options).port if options.master else settings.PORT,
        key=cluster_key.ensure(session.store, record) if options.master and not settings.names_key(options) else b"",
    )


def by_services(record: Record) -> bool:
    """Whether our own manager and agent are the machine's part of a swarm."""
    options = record.swarm_options()
    ours = record.machine_id and record.driver_name != "none"
    return bool(ours and options.is_swarm and options.discovery and not options.containers)


def register(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Make the machine known where it does not do that itself; a master that does not answer in time is an error.

    Repeating it changes nothing; an address that is not the machine's any more is taken out.
    """
    options = record.swarm_options()
    if not (record.machine_id and options.is_swarm and options.discovery):
        return
    from machine.clusters.classic import containers, registration

    if options.containers and record.driver_name != "none":
        containers.ensure(session, record, endpoint)
    if options.master and by_services(record):
        registration.wait_for_manager(session, record, endpoint)
    way = settings.resolve_route(options.discovery, session.environ)
    entered = settings.addresses(options, endpoint) if options.agent and way.token else []
    before = record.driver.get(ENTERED)
    if before not in (None, entered):
        leave(session, record)
        if before and options.master and by_services(record):
            registration.deregister_on_master(session, record, record, way, before)
    if before != entered:
        record.driver[ENTERED] = entered
        session.store.save(record)
    if way.joins and options.agent and by_services(record):
        registration.wait_registered(session, record, settings.peer_address(options, endpoint))
    if not way.token:
        return
    if entered:
        registration.register_local(session, record, way, entered[0])
    for master, node in _pairs(session, record):
        registration.register_on_master(session, master, node, way, wait=node.name == record.name)


def leave(session: Session, record: Record, *, stays: bool = False, together: Collection[str] = ()) -> None:
    """Take the machine out of every registry that it was entered in. What cannot be asked now is only warned of.

    A host that `stays` when its machine is removed is rid of the swarm's services or containers first. Of masters that
    are removed `together` with it, nothing is said if they do not answer any more. The record on disk goes on saying
    what was entered: repeating it is safe.
    """
    options = record.swarm_options()
    if not (record.machine_id and options.is_swarm and options.discovery):
        return
    from machine.clusters.classic import cleanup, registration

    way = settings.resolve_route(options.discovery, session.environ)
    runs = options.master or options.containers or way.joins
    if stays and runs and record.reached("reachable"):  # maybe killed while it was provisioned
        cleanup.retire(session, record)
    entered = record.driver.pop(ENTERED, None)
    if entered is None:
        return
    if entered:
        registration.deregister_local(session, record, entered[0])
        for master in _masters(session, record):
            registration.deregister_on_master(session, master, record, way, entered, goes_too=master.name in together)
    elif way.joins and options.agent:
        endpoint = record.endpoint()
        if endpoint is not None:
            registration.leave_discovery(session, record, settings.peer_address(options, endpoint))


def plan_lines(record: Record) -> list[str]:
    """What `create --dry-run` says of it."""
    options = record.swarm_options()
    if not options.is_swarm:
        return []
    roles = [name for name, has in (("manager", options.master), ("node", options.agent)) if has]
    lines = [
        f"classic swarm: {' and '.join(roles)} ({', '.join(_ways(record))})",
        f"  discovery {settings.shown(options.discovery)}",
    ]
    if options.master:
        lines.append(f"  the manager listens on port {settings.manager_at(options).port}, strategy {options.strategy}")
    return lines


def _ways(record: Record) -> list[str]:
    """Return what runs on the machine for its swarm, and how it becomes known there, for people."""
    options = record.swarm_options()
    if options.containers and record.driver_name != "none":
        return ["docker-machine's containers"]
    route = settings.resolve_route(options.discovery, {})  # the record names the service of a bare token
    own_agent = options.agent and route.joins and by_services(record)
    ways = []
    if by_services(record) and (options.master or own_agent):
        ways.append("systemd units, and python3 if it is missing")
    if options.agent and route.token:
        ways.append("registered from here")
    elif options.agent and not own_agent:
        ways.append("the discovery must list its address")
    return ways


def _pairs(session: Session, record: Record) -> list[tuple[Record, Record]]:
    """(master, node): the record's machine as a node of every master, and every node if it is one itself."""
    options = record.swarm_options()
    pairs = [(master, record) for master in _masters(session, record)] if options.agent else []
    if options.master and by_services(record):
        nodes = [other for other in _others(session, record) if other.driver.get(ENTERED)]
        pairs += [(record, node) for node in nodes] + ([(record, record)] if options.agent else [])
    return pairs


def _masters(session: Session, record: Record) -> list[Record]:
    """The other masters of the machine's swarm whose manager is ours and has answered once."""
    return [other for other in _others(session, record) if other.swarm_options().master and by_services(other)]


def _others(session: Session, record: Record) -> list[Record]:
    """The other machines of this store with the same discovery that have come as far as entering."""
    wanted = record.swarm_options().discovery
    others = [other for other in records(session.store) if other.name != record.name and ENTERED in other.driver]
    return [other for other in others if _uses(other, wanted)]


def _uses(record: Record, discovery: str) -> bool:
    try:
        return record.swarm_options().discovery == discovery
    except MachineError:
        return False
