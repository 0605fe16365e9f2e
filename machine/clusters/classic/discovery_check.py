"""The check of a swarm's discovery store before a machine is made for it: it is asked once. Read-only."""

from __future__ import annotations

import asyncio

from machine.clusters.classic import registration
from machine.clusters.classic.addresses import is_loopback, split_host
from machine.clusters.classic.discovery_route import resolve_route
from machine.errors import PreflightFailed
from machine.session import Session
from machine.store import Record
from machine.swarm.discovery import Discovery, DiscoveryError
from machine.swarm.discovery.token import LocalToken

AWAY_SECONDS = 4.0  # for a service elsewhere, which a firewall may hide from this computer


def check(session: Session, record: Record) -> None:
    """Ask the discovery store in which the machine will be registered.

    Raises PreflightFailed for a service on this computer that does not answer, or does not know the token, where
    `create` itself has to register the machine there. For a service elsewhere that is a warning: the machine may reach
    what this computer does not. What is on the machine itself, or is a list or a file, is not asked.
    """
    options = record.swarm_options()
    route = resolve_route(options.discovery, session.environ)
    if not options.is_node or not (route.create_registers_nodes or route.nodes_register_themselves):
        return
    if route.nodes_register_themselves and _is_on_the_machine(route.url):
        return
    try:
        discovery = registration.local_discovery(session, record)
    except DiscoveryError:  # --discovery-opt names certificates that the machine does not have yet
        return
    if isinstance(discovery, LocalToken):
        return
    try:
        asyncio.run(_ask(discovery, here=route.create_registers_nodes))
    except DiscoveryError as error:
        if route.create_registers_nodes:
            raise PreflightFailed(
                f"{record.name} could not be registered with its swarm", details=str(error), resolution=error.resolution
            ) from error
        session.console.warn(f"the swarm's discovery does not answer here, and {record.name} has to reach it ({error})")


async def _ask(discovery: Discovery, *, here: bool) -> None:
    """Read the list of engines. Raises DiscoveryError if it cannot be had; from elsewhere, within AWAY_SECONDS."""
    try:
        async with asyncio.timeout(None if here else AWAY_SECONDS):
            await discovery.nodes()
    except TimeoutError:
        raise DiscoveryError(f"{discovery.description} did not answer within {AWAY_SECONDS:g} s") from None


def _is_on_the_machine(url: str) -> bool:
    """Return whether all hosts of a discovery's URL are of loopback, which is the machine's own to its agent."""
    hosts = url.partition("://")[2].partition("/")[0].rpartition("@")[2].split(",")
    return all(is_loopback(split_host(host)[0]) for host in hosts)
