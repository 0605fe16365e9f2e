"""Registration of engines where managers find them: this store's registry, a service here, the registry of a master."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence

from machine import clients, hostport, paths
from machine.clusters.classic import store_integration
from machine.clusters.classic.addresses import peer_address
from machine.clusters.classic.discovery_route import DiscoveryRoute
from machine.clusters.classic.program_arguments import CERTIFICATES, discovery_options
from machine.clusters.classic.system_status import node_error
from machine.errors import EngineError, EngineUntrusted, MachineError, WaitTimeout
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record
from machine.swarm.discovery import Discovery, DiscoveryError, DiscoveryRefused, from_url
from machine.swarm.discovery.registry import MAX_ENTRY_TTL, Registry
from machine.swarm.discovery.token import LocalToken, Token
from machine.swarm.http.address import TlsConfig
from machine.wait import NotYet, until

NO_EXPIRY = 0  # the ttl of an entry that stays until it is removed
REPLY_SECONDS = 5.0  # for one reply of a manager
MANAGER_SECONDS = 60.0
JOIN_SECONDS = 15.0  # for a machine's agent to register it
NODE_SECONDS = 20.0  # for a manager to read its registry and to reach an engine that was registered


class NotRegistered(MachineError):
    """A registration failed and left nothing behind."""


def wait_for_manager(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Wait until a manager, and not an engine, answers over TLS from here. Raises WaitTimeout if none does in time.

    EngineUntrusted is final.
    """
    port = record.manager_port()
    manager = clients.engine_at(record, endpoint.address, port, REPLY_SECONDS)
    session.console.step("Waiting for the swarm's manager")

    def probe() -> None:
        try:
            version = manager.version()
        except EngineUntrusted:
            raise
        except EngineError as error:
            raise NotYet.because(error) from error
        if not str(version.get("Version")).startswith("swarm/"):
            raise NotYet(f"what answers there is not a manager but an engine, {version.get('Version')}")

    until(
        probe,
        what=f"the swarm's manager at {endpoint.address} port {port}",
        seconds=MANAGER_SECONDS,
        clock=session.clock,
        every=0.2,
        resolution=f"let port {port} through any firewall, then: machine provision {record.name};"
        f" its log: machine ssh {record.name} sudo journalctl -u machine-swarm-manager -n 50",
    )


def register_local(session: Session, record: Record, route: DiscoveryRoute, address: str) -> None:
    """Register an engine for managers on this computer: with a service, or in this store's registry.

    Raises MachineError if that fails, NotRegistered if nothing was registered for certain.
    """
    discovery: Discovery | None = None
    try:
        discovery = local_discovery(session, record)
        if isinstance(discovery, LocalToken):
            Registry(discovery.registry.path).register(route.token, address, NO_EXPIRY, create=True)
        else:  # a service on this computer; it wants a number of seconds, and `provision` registers again
            asyncio.run(discovery.register(address, MAX_ENTRY_TTL))
    except DiscoveryError as error:
        in_doubt = isinstance(discovery, Token) and not isinstance(error, DiscoveryRefused)
        kind = MachineError if in_doubt else NotRegistered
        raise kind(
            f"{record.name} could not be registered with its swarm",
            details=str(error),
            resolution=f"machine provision {record.name} tries it again",
        ) from error


def ensure_registered(session: Session, record: Record, address: str) -> None:
    """Wait until the machine's agent has registered it; register it from here when the agent does not.

    A discovery that cannot be asked from here may well answer the machine: then a warning names the agent's log.
    """

    def probe() -> None:
        if address not in asyncio.run(local_discovery(session, record).nodes()):
            raise NotYet

    try:
        until(
            probe,
            what=f"{record.name} to register with its swarm",
            seconds=JOIN_SECONDS,
            clock=session.clock,
            every=0.3,
        )
    except DiscoveryError as error:
        session.console.warn(
            f"whether {record.name} has registered with its swarm cannot be checked from here ({error});"
            f" its log: machine ssh {record.name} sudo journalctl -u machine-swarm-agent -n 20"
        )
    except WaitTimeout:
        brief = f"{record.name} has not registered with its swarm, and cannot be registered from here"
        if _succeeds_or_warns(
            session, brief, lambda: local_discovery(session, record).register(address, MAX_ENTRY_TTL)
        ):
            session.console.warn(
                f"{record.name} does not reach its swarm's discovery, so {address} was registered from here; its agent"
                f" keeps trying: machine ssh {record.name} sudo journalctl -u machine-swarm-agent -n 20"
            )


def deregister_local(session: Session, record: Record, address: str) -> None:
    """Take an engine out of where `register_local` puts it; a registry that does not exist is not made for that."""

    async def deregister() -> None:
        discovery = local_discovery(session, record)
        if not isinstance(discovery, LocalToken) or os.path.exists(discovery.registry.path):
            await discovery.deregister(address)

    _succeeds_or_warns(session, f"{address} stays registered in its swarm's discovery store", deregister)


def leave_discovery(session: Session, record: Record, address: str) -> None:
    """Take an engine out of the discovery in which its agent registered it. Where that fails, the entry expires."""
    try:
        asyncio.run(local_discovery(session, record).deregister(address))
    except (DiscoveryError, MachineError) as error:
        session.console.debug(f"the entry of {address} is left to expire ({error})")


def register_on_master(session: Session, master: Record, node: Record, route: DiscoveryRoute, *, wait: bool) -> None:
    """Register a node in the registry of a master. A warning if it does not answer: its own provisioning repeats it.

    With `wait`, wait until the master has reached the node's engine; a warning if it cannot.
    """
    endpoint = node.endpoint()
    if endpoint is None:
        return
    address = _address_seen_by(master, node, endpoint)
    brief = f"the swarm's manager on {master.name} does not know {node.name} yet; machine provision {master.name}"
    registered = _succeeds_or_warns(
        session, brief, lambda: _master_discovery(master, route).register(address, NO_EXPIRY)
    )
    if registered and wait:
        _wait_for_node(session, master, node, address)


def _wait_for_node(session: Session, master: Record, node: Record, address: str) -> None:
    """Wait until a manager has reached a node's engine, so that the next command finds it. A warning if it cannot."""
    manager = clients.engine_at(master, master.address(), master.manager_port(), REPLY_SECONDS)

    def probe() -> None:
        try:
            problem = node_error(manager.info().get("SystemStatus") or [], address)
        except EngineError as error:
            raise NotYet(error.brief) from error
        if problem:
            raise NotYet(problem)

    try:
        until(
            probe,
            what=f"{node.name} in the swarm of {master.name}",
            seconds=NODE_SECONDS,
            clock=session.clock,
            every=0.2,
        )
    except WaitTimeout as error:
        session.console.warn(
            f"the swarm's manager on {master.name} does not reach {node.name} at {address}: {error.details}"
            f" (it keeps trying; docker info says more, --swarm-addr names another address)"
        )


def deregister_on_master(
    session: Session,
    master: Record,
    node: Record,
    route: DiscoveryRoute,
    registered: Sequence[str],
    *,
    master_also_removed: bool = False,
) -> None:
    """Take a node out of the registry of a master. A warning if it does not answer, unless `master_also_removed`."""
    endpoint = node.endpoint()
    addresses = {*registered, *([_address_seen_by(master, node, endpoint)] if endpoint else [])}

    async def deregister() -> None:
        for address in sorted(addresses):
            await _master_discovery(master, route).deregister(address)

    _succeeds_or_warns(
        session,
        f"the swarm's manager on {master.name} still lists {node.name}; its log:"
        f" machine ssh {master.name} sudo journalctl -u machine-swarm-manager -n 50",
        deregister,
        warn=not master_also_removed,
    )


def _address_seen_by(master: Record, node: Record, endpoint: Endpoint) -> str:
    return peer_address(node.swarm_options(), endpoint, same_network=_on_same_network(master, node))


def _on_same_network(one: Record, other: Record) -> bool:
    """Return whether two machines reach each other by their addresses for peers: one driver, one cloud, one network."""
    alike = all(one.driver_object.get(key) == other.driver_object.get(key) for key in one.driver_keys.network)
    return alike and one.driver_name == other.driver_name


def local_discovery(session: Session, record: Record) -> Discovery:
    options = record.swarm_options()
    names = (paths.CA, paths.SERVER_CERT, paths.SERVER_KEY)
    files = dict(zip((f"{CERTIFICATES}/{name}" for name in names), clients.certificate_paths(record), strict=True))
    return from_url(
        options.discovery,
        registry=store_integration.registry_path(session.store),
        options=discovery_options(options.join_flags, files),
        environ=session.environ,
    )


def _master_discovery(master: Record, route: DiscoveryRoute) -> Token:
    address = hostport.join(master.address(), master.manager_port())
    return Token(f"https://{address}/v1", route.token, TlsConfig(*clients.certificate_paths(master)).for_client())


def _succeeds_or_warns(
    session: Session, brief: str, operation: Callable[[], Coroutine[object, object, None]], *, warn: bool = True
) -> bool:
    """Run `operation` and return whether it succeeded. A failure is a warning, or a debug line without `warn`."""
    try:
        asyncio.run(operation())
    except (DiscoveryError, MachineError) as error:
        report = session.console.warn if warn else session.console.debug
        report(f"{brief} ({error.brief if isinstance(error, MachineError) else error})")
        return False
    return True
