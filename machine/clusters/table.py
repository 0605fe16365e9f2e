"""Which kinds of clusters there are, and which of them a machine is in. One literal table.

Hooks bring asyncio, the manager and more, so that they are imported for members only.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from machine.clusters.classic import membership as classic
from machine.clusters.swarm_mode import detection as swarm_mode

if TYPE_CHECKING:
    from machine.clusters.hooks import ClusterHooks, MachineDraft
    from machine.store import Record


class ClusterKind(NamedTuple):
    """One kind of cluster: the module whose HOOKS serve it, and how its members are told."""

    module: str
    is_requested: Callable[[MachineDraft], bool]
    is_member: Callable[[Record], bool]
    open_ports: Callable[[Record], tuple[int, ...]]


TABLE = (
    ClusterKind("machine.clusters.classic.hooks", classic.is_requested, classic.is_member, classic.open_ports),
    ClusterKind(
        "machine.clusters.swarm_mode.hooks", swarm_mode.is_requested, swarm_mode.is_member, swarm_mode.open_ports
    ),
)


def requested(draft: MachineDraft) -> list[ClusterHooks]:
    """Return the hooks of the clusters that a machine is to be made for."""
    return [load_hooks(kind) for kind in TABLE if kind.is_requested(draft)]


def hooks_of(record: Record) -> list[ClusterHooks]:
    """Return the hooks of the clusters that a machine is, or is to be, a member of.

    Raises RecordBroken if a membership cannot be read.
    """
    return [load_hooks(kind) for kind in TABLE if kind.is_member(record)]


def is_member(record: Record) -> bool:
    """Return whether the machine is, or is to be, a member of a cluster."""
    return any(kind.is_member(record) for kind in TABLE)


def open_ports(record: Record) -> tuple[int, ...]:
    """Return the ports, beside the engine's, that a platform's firewall has to let in for a machine's clusters."""
    return tuple(port for kind in TABLE for port in kind.open_ports(record))


def load_hooks(kind: ClusterKind) -> ClusterHooks:
    """Return the hooks of one kind of cluster; their module is imported now."""
    found: ClusterHooks = import_module(kind.module).HOOKS
    return found
