"""What a machine has to run for its classic swarm (machine/provision/classic_swarm.py makes systemd units of it)."""

from __future__ import annotations

from machine.clusters.classic import cluster_key, settings
from machine.clusters.classic.membership import uses_systemd_services
from machine.model import Endpoint
from machine.provision.spec import Swarm
from machine.session import Session
from machine.store import Record
from machine.swarm.zipapp_file import bundle


def services(session: Session, record: Record, endpoint: Endpoint) -> Swarm | None:
    """Return commands, discovery and key; None if docker-machine's containers do it, or the machine is only a URL."""
    options = record.swarm_options()
    if not uses_systemd_services(record):
        return None
    route = settings.resolve_route(options.discovery, session.environ)
    return Swarm(
        program=bundle(),
        discovery=route.url,
        manage=settings.manager_arguments(options, endpoint, route) if options.master else (),
        join=settings.agent_arguments(options, endpoint) if options.agent and route.self_registering else (),
        port=settings.manager_address(options).port if options.master else settings.PORT,
        key=cluster_key.ensure(session.store, record) if options.master and not settings.names_key(options) else b"",
    )
