"""Removal of what classic swarm has put on a host that goes on when its machine is removed."""

from __future__ import annotations

from machine import clients
from machine.clusters.classic import containers
from machine.clusters.classic.role import resolve_role
from machine.errors import EngineRefused, MachineError
from machine.model import Endpoint
from machine.provision import apply_steps
from machine.provision.classic_swarm import removal
from machine.session import Session
from machine.store import Record


def remove_services(session: Session, record: Record) -> None:
    """Stop and remove the services, or the containers. A warning if the host cannot be reached."""
    endpoint = record.endpoint()
    if endpoint is None:
        return
    try:
        if resolve_role(record.swarm_options(), record).uses_services:
            session.console.step("Removing the services of classic swarm from the host")
            with clients.connect(record, endpoint) as shell:
                apply_steps(removal(), shell, session.console.debug)
        else:
            _remove_containers(session, record, endpoint)
    except MachineError as error:
        session.console.warn(f"what classic swarm has put on {endpoint.address} stays there ({error.brief})")


def _remove_containers(session: Session, record: Record, endpoint: Endpoint) -> None:
    engine = containers.engine_of(record, endpoint)
    for name in (containers.MASTER, containers.AGENT):
        try:
            engine.delete(f"/containers/{name}?force=1")
        except EngineRefused as refused:
            if refused.status != 404:
                raise
        else:
            session.console.info(f"removed the container {name}")
