"""Taking a machine out of its classic swarm."""

from __future__ import annotations

from collections.abc import Collection

from machine.clusters.classic import cleanup, members, registration
from machine.clusters.classic.addresses import peer_address
from machine.clusters.classic.discovery_route import resolve_route
from machine.clusters.classic.membership import REGISTERED_ADDRESSES
from machine.clusters.classic.role import resolve_role
from machine.session import Session
from machine.store import Record


def leave_swarm(
    session: Session, record: Record, *, keep_host: bool = False, also_removed: Collection[str] = ()
) -> None:
    """Take the machine out of every registry that has it. What does not answer now is only warned of.

    With `keep_host` the swarm's services or containers are removed from the host first. A master among `also_removed`
    that does not answer is not warned of. The record on disk still has the addresses: repeating this is safe.
    """
    options = record.swarm_options()
    role = resolve_role(options, record)
    if not role.made_by_us:
        return
    route = resolve_route(options.discovery, session.environ)
    has_programs = role.is_master or role.uses_containers or route.nodes_register_themselves
    if keep_host and has_programs and record.reached("reachable"):  # maybe killed while it was provisioned
        cleanup.remove_services(session, record)
    record.driver_object.pop(REGISTERED_ADDRESSES, None)
    if not role.has_begun_to_join:
        return
    addresses = role.registered_addresses
    if addresses:
        registration.deregister_local(session, record, addresses[0])
        for master in members.other_managed_masters(session, record):
            registration.deregister_on_master(
                session, master, record, route, addresses, master_also_removed=master.name in also_removed
            )
    elif role.registers_itself(route):
        endpoint = record.endpoint()
        if endpoint is not None:
            registration.leave_discovery(session, record, peer_address(options, endpoint))
