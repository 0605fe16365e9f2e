"""Swarm mode's part in a machine's life (`create --swarm-mode`).

    check       before anything is made: is there a cluster to join, could it be reached
    check_host  before the host is changed: is its engine in somebody else's cluster
    enter       once its engine answers: found the cluster, or join it
    awake       after a restart: unlock an autolocked manager
    leave       before it is removed: drained, demoted, off the list

The record says what was asked (Machine.SwarmMode), the engines say what is. Only they are believed: whatever moment a
command was killed at, the next one looks and goes on. Who changes a cluster holds the lock `swarm-mode-CLUSTER`.
"""

from __future__ import annotations

from machine.booleans import GO_TRUE
from machine.clusters.swarm_mode.membership import KEY
from machine.errors import PreflightFailed, UsageError
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from machine.clusters.swarm_mode.membership import Membership
    from machine.drivers.base import Driver


def is_member(record: Record) -> bool:
    """Whether the machine is, or is to be, in a cluster."""
    return bool((record.raw.get("Machine") or {}).get(KEY))


def set_membership(record: Record, wish: Membership | None) -> None:
    """Put what was asked into a new record."""
    if wish is not None:
        record.raw["Machine"][KEY] = wish.dump()


def check(session: Session, record: Record, driver: Driver) -> None:
    """PreflightFailed when the machine could not join, before it costs anything."""
    if is_member(record):
        from machine.clusters.swarm_mode import join

        join.check(session, record, driver)


def no_host(driver_name: str) -> PreflightFailed:
    """Why a machine that is only a URL cannot be a node."""
    return PreflightFailed(
        f"the driver {driver_name} cannot take part in swarm mode: there is no host to set up",
        resolution="leave --swarm-mode out, or choose a driver that makes hosts",
    )


def check_options(flags: Collection[str]) -> None:
    """UsageError for a dockerd option (--engine-opt) with which no engine takes part in swarm mode."""
    for option in flags:
        name, equals, value = option.lstrip("-").partition("=")
        if name == "live-restore" and (not equals or value in GO_TRUE):
            raise UsageError(
                f"--engine-opt {option} and --swarm-mode exclude each other: Docker refuses live-restore in swarm mode",
                resolution="leave one of them out",
            )


def check_host(session: Session, record: Record, swarm: object) -> None:
    """Refuse, before the host is changed, one whose running engine is in a cluster that is not the machine's.

    `swarm` is the object Swarm of the engine's /info. Raises SwarmModeError.
    """
    if is_member(record) and swarm:
        from machine.clusters.swarm_mode import join

        join.check_host(session, record, swarm)


def join_cluster(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Found the cluster or join it; a member stays as it is. SwarmModeError says why it cannot."""
    if is_member(record):
        from machine.clusters.swarm_mode import join

        join.join(session, record, endpoint)


def unlock_if_locked(session: Session, record: Record, endpoint: Endpoint) -> None:
    """Unlock the machine's engine if it came up locked."""
    if is_member(record):
        from machine.clusters.swarm_mode import unlock_key

        unlock_key.unlock_if_locked(session, record, endpoint)


def leave_cluster(
    session: Session, record: Record, driver: Driver, *, force: bool = False, together: Collection[str] = ()
) -> None:
    """Take the machine out of its cluster in good order; `together` are names that are removed by the same command.

    SwarmModeError when the cluster would not survive it; with `force` that is only said.
    """
    if is_member(record):
        from machine.clusters.swarm_mode import leave as leaving

        leaving.leave(session, record, stays=driver.traits.existing_host, force=force, together=together)
