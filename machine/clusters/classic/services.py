"""What a machine has to run for its classic swarm (machine/provision/classic_swarm.py makes systemd units of it)."""

from __future__ import annotations

from machine import hostport, redaction
from machine.clusters.classic import cluster_key
from machine.clusters.classic.addresses import manager_address
from machine.clusters.classic.discovery_route import DiscoveryRoute, resolve_route
from machine.clusters.classic.program_arguments import agent_arguments, manager_arguments, names_key
from machine.clusters.classic.role import Role, resolve_role
from machine.clusters.classic.zipapp_file import bundle
from machine.errors import MASK
from machine.model import Endpoint, SwarmOptions
from machine.provision.spec import SwarmServices
from machine.session import Session
from machine.store import Record

PLACEHOLDER_ADDRESS = "machine-address"  # of a machine that is not made yet


def placeholder_services(record: Record) -> SwarmServices | None:
    """Return what `services` will, with placeholders for the machine's address, the program and the key."""
    options = redaction.masked_swarm(record.swarm_options(), MASK)
    role = resolve_role(options, record)
    if not role.uses_services:
        return None
    route = resolve_route(options.discovery, {})  # the record names the service of a bare token
    return _services(options, role, Endpoint(PLACEHOLDER_ADDRESS), route, program=b"(program)\n", key=b"(key)\n")


def services(session: Session, record: Record, endpoint: Endpoint) -> SwarmServices | None:
    """Return commands, discovery and key; None if docker-machine's containers do it, or the machine is only a URL."""
    options = record.swarm_options()
    role = resolve_role(options, record)
    if not role.uses_services:
        return None
    route = resolve_route(options.discovery, session.environ)
    needs_key = role.is_master and not names_key(options)
    key = cluster_key.ensure(session.store, record) if needs_key else b""
    return _services(options, role, endpoint, route, program=bundle(), key=key)


def _services(
    options: SwarmOptions, role: Role, endpoint: Endpoint, route: DiscoveryRoute, *, program: bytes, key: bytes
) -> SwarmServices:
    """Return the services of a machine with these options and this role, reached at `endpoint`."""
    return SwarmServices(
        program=program,
        discovery=route.url,
        manager_argv=manager_arguments(options, endpoint, route) if role.runs_manager else (),
        agent_argv=agent_arguments(options, endpoint) if role.runs_agent(route) else (),
        port=manager_address(options).port if role.runs_manager else hostport.MANAGER_PORT,
        key=key if role.runs_manager and not names_key(options) else b"",
    )
