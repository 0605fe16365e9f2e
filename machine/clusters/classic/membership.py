"""Membership of a machine in a classic swarm, as its record has it: HostOptions.SwarmOptions of config.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from machine.session import readable_records

if TYPE_CHECKING:
    from machine.clusters.hooks import MachineDraft
    from machine.store import Record, Store

# The key in Driver of config.json: ["host:port" as seen from here, ...as others see it] where this store registers the
# machine; [] where it does not: the machine's agent does, or nobody (a fixed list, a master that is not a node). Absent
# until the machine begins to join: it is written before the machine is registered.
REGISTERED_ADDRESSES = "SwarmEntered"


def is_requested(draft: MachineDraft) -> bool:
    """Return whether `create` was asked for a machine in a classic swarm."""
    return draft.swarm.is_swarm


def is_member(record: Record) -> bool:
    """Return whether the machine is, or is to be, in a classic swarm."""
    return record.swarm_options().is_swarm


def masters(store: Store, discovery: str) -> Iterator[Record]:
    """Return the masters in this store of the classic swarm with that discovery; a broken record is passed over."""
    for record in readable_records(store):
        options = record.swarm_options()
        if options.master and options.discovery == discovery:
            yield record


def open_ports(record: Record) -> tuple[int, ...]:
    """Return what a platform's firewall has to let in: the manager's port, on a master."""
    return (record.manager_port(),) if record.swarm_options().master else ()
