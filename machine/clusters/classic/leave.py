"""Taking a machine out of its classic swarm."""

from __future__ import annotations

from collections.abc import Collection

from machine.clusters.classic import cleanup, members, registration, settings
from machine.clusters.classic.membership import ENTERED, is_registered
from machine.session import Session
from machine.store import Record


def leave(session: Session, record: Record, *, keep_host: bool = False, also_removed: Collection[str] = ()) -> None:
    """Take the machine out of every registry that it was entered in. What cannot be asked now is only warned of.

    With `keep_host` the swarm's services or containers are removed from the host first. A master among `also_removed`
    that does not answer is not warned of. The record on disk still has what was entered: repeating this is safe.
    """
    options = record.swarm_options()
    if not is_registered(record):
        return
    way = settings.resolve_route(options.discovery, session.environ)
    runs = options.master or options.containers or way.joins
    if keep_host and runs and record.reached("reachable"):  # maybe killed while it was provisioned
        cleanup.remove_services(session, record)
    entered = record.driver.pop(ENTERED, None)
    if entered is None:
        return
    if entered:
        registration.deregister_local(session, record, entered[0])
        for master in members.masters(session, record):
            registration.deregister_on_master(
                session, master, record, way, entered, goes_too=master.name in also_removed
            )
    elif way.joins and options.agent:
        endpoint = record.endpoint()
        if endpoint is not None:
            registration.leave_discovery(session, record, settings.peer_address(options, endpoint))
