"""Clones: machines that are made of another machine, at one of its snapshots."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from machine.clusters import table as clusters
from machine.drivers.base import Clones, Driver
from machine.drivers.images import clone_source
from machine.drivers.images.clone_source import CloneSource
from machine.drivers.images.snapshot_tag import is_tag
from machine.errors import LockHeld, MachineError, NotSupported, UsageError
from machine.lifecycle import snapshot
from machine.lifecycle.driver_record import open_driver
from machine.model import EngineOptions, State
from machine.session import LOCK_SECONDS, Session, readable_records
from machine.store import Record

_PREFIX = "clone-"  # of the snapshots that are made for clones of a machine as it is now
BUSY_SECONDS = 5.0  # for another command to be done with a machine, where what is to be done may be done later, too


@dataclass(frozen=True)
class CloneRequest:
    """The machine of which clones are to be made, its snapshot, and the driver's options that were typed."""

    machine: str
    tag: str
    typed: frozenset[str]


def check_source(session: Session, name: str, driver_name: str, tag: str) -> Record:
    """Return the record of a machine that is to be cloned by that driver.

    Raises UsageError if it cannot be: it is unfinished, of another driver, in a cluster, or has no snapshot `tag`.
    """
    session.store.require(name)
    record = session.store.load(name)
    if record.driver_name != driver_name:
        raise UsageError(
            f"{name} is a machine of the driver {record.driver_name}, and its clones are, too",
            resolution=f"add -d {record.driver_name}",
        )
    if not record.reached("ready"):
        raise UsageError(f"{name} is incomplete", resolution=f"machine create --resume {name}")
    if clusters.hooks_of(record):
        raise UsageError(
            f"{name} is in a cluster, whose secrets are on its disk: it cannot be cloned",
            resolution="create the machine anew, as another member of the cluster",
        )
    driver = open_driver(session, record)
    if not isinstance(driver, Clones):
        raise NotSupported(
            f"the driver {driver_name} cannot clone a machine", resolution="leave --from out, and create it anew"
        )
    if tag:
        snapshot.find(snapshot.of(driver), name, tag)
    return record


def take_over(session: Session, driver: Driver, request: CloneRequest) -> None:
    """Make a drafted machine a clone. Raises UsageError for an option that a clone cannot have."""
    source = open_driver(session, session.store.load(request.machine))
    if isinstance(driver, Clones):
        driver.clone_from(source, request.tag, request.typed)


def engine_options(source: EngineOptions, own: EngineOptions) -> EngineOptions:
    """Return the engine's options of a clone: those of its source, but for what was asked for itself.

    Without the source's data-root, say, the engine would not see the images and volumes that the clone has of it.
    """
    usual = EngineOptions()
    asked = {field.name: getattr(own, field.name) for field in fields(EngineOptions)}
    return replace(source, **{name: value for name, value in asked.items() if value != getattr(usual, name)})


@contextmanager
def snapshot_for_clones(session: Session, name: str) -> Iterator[str]:
    """A snapshot of machine `name` as it is, for clones that the body makes: its tag.

    It is removed afterwards, unless a clone is incomplete then. The lock tells others that it is in use, and its
    holder's end, in whatever way, gives it back.
    """
    remove_unneeded(session, name)
    tag = _PREFIX + secrets.token_hex(3)
    try:
        with session.store.lock(lock_name(name, tag), seconds=LOCK_SECONDS, what=f"make clones of {name}"):
            try:
                snapshot.take(session, name, tag, for_clones=True)
                yield tag
            finally:
                session.store.drop_lock(lock_name(name, tag))
    finally:
        remove_unneeded(session, name, LOCK_SECONDS)


def lock_name(name: str, tag: str) -> str:
    """Return the name of the lock that is held while clones of that snapshot are made."""
    return f"clones-{name}-{tag}"


def source_of(record: Record) -> CloneSource | None:
    """Return what a machine was made of; None if it is no clone, or its record says nothing sensible."""
    try:
        return clone_source.recorded(record.driver_object)
    except (TypeError, ValueError):
        return None


def remove_unneeded_of(session: Session, source: CloneSource | None) -> None:
    """Remove what was made for clones of the machine `source` and is not needed any more, if there is that machine."""
    if source and session.store.exists(source.machine):
        remove_unneeded(session, source.machine)


def remove_unneeded(session: Session, name: str, seconds: float = BUSY_SECONDS) -> None:
    """Remove the snapshots of machine `name` that were made for clones which are complete by now, or were given up.

    Its record lists them from before they are made, so that one that a killed command has left is found by the next
    that makes, completes or removes a clone, or makes or removes a snapshot. One that cannot be removed now, or not
    within `seconds`, stays listed; that is said, and no error.
    """
    try:
        if not session.store.load(name).clone_snapshots:
            return
        with session.store.lock(f"machine-{name}", seconds=seconds, what=f"remove snapshots of {name}"):
            record = session.store.load(name)
            for tag in record.clone_snapshots:
                _remove_unless_used(session, record, tag)
    except MachineError as error:
        session.console.info(f"{name} keeps for now what was made for clones of it: {error.brief}")


def _remove_unless_used(session: Session, record: Record, tag: str) -> None:
    if not is_tag(tag):  # somebody else has written that, and it becomes a part of a path
        snapshot.forget_clone_snapshot(session, record, tag)
        return
    lock = lock_name(record.name, tag)
    try:
        with session.store.lock(lock, seconds=0, what=f"remove the snapshot {tag} of {record.name}"):
            _remove_unless_needed(session, record, tag)
            session.store.drop_lock(lock)
    except LockHeld:  # somebody makes clones of it
        return


def _remove_unless_needed(session: Session, record: Record, tag: str) -> None:
    kept = f"{record.name} keeps the snapshot {tag} until"
    if clone := incomplete_clone(session, record.name, tag):
        session.console.info(f"{kept} {clone} is complete (machine create --resume {clone}) or removed")
        return
    driver = open_driver(session, record)
    if all(one.tag != tag for one in snapshot.of(driver).all()):
        snapshot.forget_clone_snapshot(session, record, tag)
    elif driver.state() not in (State.RUNNING, State.STOPPED):
        session.console.info(f"{kept} it runs or is off: machine snapshot rm {record.name} {tag} then")
    else:
        snapshot.remove_of(session, record, driver, tag)
        session.console.info(f"the snapshot {tag} of {record.name}, which was made for clones, is removed")


def incomplete_clone(session: Session, name: str, tag: str) -> str:
    """Return the name of a machine that is incomplete and to be made of that snapshot of machine `name`; "" if none."""
    for record in readable_records(session.store):
        source = source_of(record)
        if source and (source.machine, source.tag) == (name, tag) and not record.reached("ready"):
            return record.name
    return ""
