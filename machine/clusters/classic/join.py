"""Making a machine known in its classic swarm, where it does not do that itself."""

from __future__ import annotations

from machine.clusters.classic import containers, members, registration
from machine.clusters.classic.addresses import addresses_to_register, peer_address
from machine.clusters.classic.discovery_route import resolve_route
from machine.clusters.classic.leave import leave_swarm
from machine.clusters.classic.membership import REGISTERED_ADDRESSES
from machine.clusters.classic.role import resolve_role
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record


def join_swarm(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Make the machine known to the managers of its swarm.

    Raises WaitTimeout for a master that does not answer in time.

    Repeating it changes nothing; an address that is not the machine's any more is taken out.
    """
    options = record.swarm_options()
    role = resolve_role(options, record)
    if not role.made_by_us:
        return
    if role.uses_containers:
        containers.ensure(session, record, endpoint)
    if role.runs_manager:
        registration.wait_for_manager(session, record, endpoint)
    route = resolve_route(options.discovery, session.environ)
    addresses = tuple(addresses_to_register(options, endpoint)) if role.registered_by_create(route) else ()
    old_addresses = role.registered_addresses
    if old_addresses not in (None, addresses):
        leave_swarm(session, record)
        if old_addresses and role.runs_manager:
            registration.deregister_on_master(session, record, record, route, old_addresses)
    begins = old_addresses != addresses
    if begins:
        record.driver_object[REGISTERED_ADDRESSES] = list(addresses)
        session.store.save(record)
    if role.runs_agent(route):
        registration.ensure_registered(session, record, peer_address(options, endpoint))
    if not route.create_registers_nodes:
        return
    if addresses:
        try:
            registration.register_local(session, record, route, addresses[0])
        except registration.NotRegistered:
            if begins and not members.other_managed_masters(session, record):  # one may have registered it meanwhile
                del record.driver_object[REGISTERED_ADDRESSES]
                session.store.save(record)
            raise
    for master, node in members.master_node_pairs(session, record):
        registration.register_on_master(session, master, node, route, wait=node.name == record.name)
