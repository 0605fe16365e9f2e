"""The machines of one classic swarm in this store: those with the same discovery."""

from __future__ import annotations

from machine.clusters.classic import store_integration
from machine.clusters.classic.role import Role, resolve_role
from machine.errors import MachineError
from machine.session import Session, readable_records
from machine.store import Record
from machine.swarm.discovery import DiscoveryError
from machine.swarm.discovery.registry import Registry


def master_node_pairs(session: Session, record: Record) -> list[tuple[Record, Record]]:
    """Return (master, node): the machine as a node of every master, and every node if the machine is a master."""
    role = _role(record)
    found = [(master, record) for master in other_managed_masters(session, record)] if role.is_node else []
    if role.runs_manager:
        nodes = [other for other in other_members(session, record) if _role(other).registered_addresses]
        found += [(record, node) for node in nodes] + ([(record, record)] if role.is_node else [])
    return found


def other_managed_masters(session: Session, record: Record) -> list[Record]:
    """Return the other masters of the machine's swarm whose manager is ours and that have begun to join."""
    return [other for other in other_members(session, record) if _role(other).runs_manager]


def other_members(session: Session, record: Record) -> list[Record]:
    """Return the other machines of this store with the same discovery that have begun to join."""
    discovery = record.swarm_options().discovery
    others = [other for other in readable_records(session.store) if other.name != record.name]
    return [other for other in others if _has_discovery(other, discovery) and _role(other).has_begun_to_join]


def is_known_token(session: Session, record: Record) -> bool:
    """Return False for a token without a service that neither this store's registry nor another machine has.

    It may be mistyped. Any other discovery counts as known. Touches nothing.
    """
    discovery = record.swarm_options().discovery
    scheme, _, token = discovery.partition("://")
    if scheme != "token" or "/" in token or session.environ.get("MACHINE_DISCOVERY_URL"):
        return True
    try:
        if Registry(store_integration.registry_path(session.store)).has_token(token):
            return True
    except DiscoveryError:  # a registry that is broken is told of when it is written to
        return True
    return any(_has_discovery(other, discovery) for other in readable_records(session.store))


def _role(record: Record) -> Role:
    return resolve_role(record.swarm_options(), record)


def _has_discovery(record: Record, discovery: str) -> bool:
    try:
        return record.swarm_options().discovery == discovery
    except MachineError:
        return False
