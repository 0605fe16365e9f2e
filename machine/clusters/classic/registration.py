"""Entering engines where managers look for them: this store's registry, a service here, the registry of a master."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from machine import clients, hostport, paths
from machine.clusters.classic import settings, store_integration
from machine.clusters.classic.settings import DiscoveryRoute
from machine.errors import EngineError, EngineUntrusted, MachineError, WaitTimeout
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record
from machine.swarm.discovery import Discovery, DiscoveryError, from_url
from machine.swarm.discovery.registry import LONGEST_TTL, Registry
from machine.swarm.discovery.token import LocalToken, Token
from machine.swarm.http.address import TlsConfig
from machine.wait import NotYet, until

ASK_SECONDS = 5.0  # for one reply of a manager
MANAGER_SECONDS = 60.0
JOIN_SECONDS = 15.0  # for a machine's agent to enter it
NODE_SECONDS = 20.0  # for a manager to reach an engine that was entered: its look at the registry, and the engine


def wait_for_manager(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Until a manager answers over TLS from here, not just an engine. WaitTimeout; EngineUntrusted is final."""
    port = record.manager_port()
    manager = clients.engine_at(record, endpoint.address, port, ASK_SECONDS)
    session.console.step("Waiting for the swarm's manager")

    def probe() -> None:
        try:
            found = manager.version()
        except EngineUntrusted:
            raise
        except EngineError as error:
            raise NotYet.because(error) from error
        if not str(found.get("Version")).startswith("swarm/"):
            raise NotYet(f"what answers there is not a manager but an engine, {found.get('Version')}")

    until(
        probe,
        what=f"the swarm's manager at {endpoint.address} port {port}",
        seconds=MANAGER_SECONDS,
        clock=session.clock,
        every=0.2,
        resolution=f"let port {port} through any firewall, then: machine provision {record.name};"
        f" its log: machine ssh {record.name} sudo journalctl -u machine-swarm-manager -n 50",
    )


def register_local(session: Session, record: Record, way: DiscoveryRoute, address: str) -> None:
    """Where managers on this computer look: with the service there is, else in this store's registry. MachineError."""
    try:
        found = _local_discovery(session, record)
        if isinstance(found, LocalToken):
            Registry(found.registry.path).register(way.token, address, 0, create=True)
        else:  # a service on this computer; it wants an end, and `provision` begins anew
            asyncio.run(found.register(address, LONGEST_TTL))
    except DiscoveryError as error:
        raise MachineError(
            f"{record.name} could not be registered with its swarm",
            details=str(error),
            resolution=f"machine provision {record.name} tries it again",
        ) from error


def wait_registered(session: Session, record: Record, address: str) -> None:
    """Until the machine's agent has entered it; in its place, where that does not come about though it could from here.

    A discovery that cannot be asked from here may well be there for the machine: then it is said where to look.
    """

    def probe() -> None:
        if address not in asyncio.run(_local_discovery(session, record).nodes()):
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
        failed = f"{record.name} has not registered with its swarm, and cannot be registered from here"
        if _warn_on_failure(session, failed, lambda: _local_discovery(session, record).register(address, LONGEST_TTL)):
            session.console.warn(
                f"{record.name} does not reach its swarm's discovery, so {address} was registered from here; its agent"
                f" keeps trying: machine ssh {record.name} sudo journalctl -u machine-swarm-agent -n 20"
            )


def deregister_local(session: Session, record: Record, address: str) -> None:
    """Out of there; a store's registry that is not there is not made for that."""

    async def deregister() -> None:
        found = _local_discovery(session, record)
        if not isinstance(found, LocalToken) or os.path.exists(found.registry.path):
            await found.withdraw(address)

    _warn_on_failure(session, f"{address} stays registered in its swarm's discovery store", deregister)


def leave_discovery(session: Session, record: Record, address: str) -> None:
    """Out of a discovery that the machine entered itself; if it cannot be asked from here, its entry ends in time."""
    try:
        asyncio.run(_local_discovery(session, record).withdraw(address))
    except (DiscoveryError, MachineError) as error:
        session.console.debug(f"the entry of {address} is left to expire ({error})")


def register_on_master(session: Session, master: Record, node: Record, way: DiscoveryRoute, *, wait: bool) -> None:
    """In the registry of a master. A warning if it does not answer: it is told when it is provisioned.

    With `wait`, until the master has talked to the node's engine; a warning if it cannot.
    """
    endpoint = node.endpoint()
    if endpoint is None:
        return
    address = _seen_by(master, node, endpoint)
    failed = f"the swarm's manager on {master.name} does not know {node.name} yet; machine provision {master.name}"
    if _warn_on_failure(session, failed, lambda: _master_discovery(master, way).register(address, 0)) and wait:
        _wait_for_node(session, master, node, address)


def _wait_for_node(session: Session, master: Record, node: Record, address: str) -> None:
    """So that the next command finds it."""
    manager = clients.engine_at(master, master.address(), master.manager_port(), ASK_SECONDS)

    def probe() -> None:
        try:
            problem = settings.node_error(manager.info().get("SystemStatus") or [], address)
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
    session: Session, master: Record, node: Record, way: DiscoveryRoute, entered: list[str], *, goes_too: bool = False
) -> None:
    """Out of it; a warning if the master does not answer, unless it `goes_too`."""
    endpoint = node.endpoint()
    addresses = {*entered, *([_seen_by(master, node, endpoint)] if endpoint else [])}

    async def withdraw() -> None:
        for address in sorted(addresses):
            await _master_discovery(master, way).withdraw(address)

    _warn_on_failure(
        session, f"the swarm's manager on {master.name} still lists {node.name}", withdraw, said=not goes_too
    )


def _seen_by(master: Record, node: Record, endpoint: Endpoint) -> str:
    return settings.peer_address(node.swarm_options(), endpoint, near=_on_same_network(master, node))


def _on_same_network(one: Record, other: Record) -> bool:
    """Whether two machines know each other by their addresses among peers: one driver, one cloud, one network."""
    alike = all(one.driver.get(key) == other.driver.get(key) for key in one.keys.network)
    return alike and one.driver_name == other.driver_name


def _local_discovery(session: Session, record: Record) -> Discovery:
    options = record.swarm_options()
    names = (paths.CA, paths.SERVER_CERT, paths.SERVER_KEY)
    files = dict(
        zip((f"{settings.CERTIFICATES}/{name}" for name in names), clients.certificate_paths(record), strict=True)
    )
    told = settings.discovery_options(options.join_flags, files)
    return from_url(
        options.discovery, registry=store_integration.registry(session.store), options=told, environ=session.environ
    )


def _master_discovery(master: Record, way: DiscoveryRoute) -> Token:
    at = hostport.join(master.address(), master.manager_port())
    return Token(f"https://{at}/v1", way.token, TlsConfig(*clients.certificate_paths(master)).for_client())


def _warn_on_failure(session: Session, failed: str, act: Any, *, said: bool = True) -> bool:
    """Do something of which a failure is only `said`, or not even that; whether it went well."""
    try:
        work: Coroutine[Any, Any, None] = act()
        asyncio.run(work)
    except (DiscoveryError, MachineError) as error:
        say = session.console.warn if said else session.console.debug
        say(f"{failed} ({error.brief if isinstance(error, MachineError) else error})")
        return False
    return True
