"""Whether a machine is in a cluster of swarm mode. Commands that know no cluster ask this, so it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machine.clusters.hooks import MachineDraft
    from machine.store import Record

KEY = "SwarmMode"  # of Machine in config.json
PORTS = (2377, 7946, 4789)  # control (tcp), gossip (tcp and udp), overlay networks (udp)


def is_requested(draft: MachineDraft) -> bool:
    """Return whether `create` was asked for a machine in a cluster of swarm mode."""
    return draft.swarm_mode is not None


def is_member(record: Record) -> bool:
    """Return whether the machine is, or is to be, in a cluster of swarm mode."""
    return bool((record.raw.get("Machine") or {}).get(KEY))


def open_ports(record: Record) -> tuple[int, ...]:
    """Return what a platform's firewall has to let in for the machine: PORTS, or nothing.

    Workers get the managers' port too, for they may be promoted.
    """
    return PORTS if is_member(record) else ()
