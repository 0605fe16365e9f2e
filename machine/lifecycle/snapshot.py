"""Snapshots of a machine: made, restored and removed, where its driver has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from machine import clients
from machine.drivers.base import Driver, HasSnapshots, Snapshot, Snapshots
from machine.errors import DriverError, MachineError, NotSupported, UsageError
from machine.lifecycle import power, waiting
from machine.lifecycle.driver_record import open_driver
from machine.model import State, Verb
from machine.session import LOCK_SECONDS, Session
from machine.store import Record

MOST = 200  # of one machine: a disk image with more than 256 is refused as damaged when its machine is started
SYNC_SECONDS = 60.0  # for the machine to write what it has not written yet
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def check_tag(tag: str) -> None:
    """Raise UsageError if that cannot be the tag of a snapshot."""
    if not _TAG.fullmatch(tag):
        raise UsageError(
            f"{tag!r} cannot be the tag of a snapshot",
            resolution="use letters, digits and _.- (63 at most), a letter or digit first, such as before-upgrade",
        )


def list_snapshots(session: Session, name: str) -> Sequence[Snapshot]:
    """Return the snapshots of machine `name`, oldest first. Raises NotSupported if its driver has none."""
    return of(open_driver(session, session.store.load(name))).all()


def take(session: Session, name: str, tag: str) -> None:
    """Make the snapshot `tag` of machine `name`, with its memory if it runs. Raises DriverError if the tag is taken."""
    check_tag(tag)
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"snapshot {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        snapshots = of(driver)
        state = _state_for(record, driver, (State.RUNNING, State.STOPPED))
        known = snapshots.all()
        if len(known) >= MOST:
            raise DriverError(
                f"{name} has {len(known)} snapshots, and cannot have more",
                resolution=f"remove some: machine snapshot ls {name}, machine snapshot rm {name} TAG...",
            )
        if any(one.tag == tag for one in known):
            raise DriverError(
                f"{name} has a snapshot {tag} already",
                resolution=f"choose another tag, or remove that one: machine snapshot rm {name} {tag}",
            )
        session.console.step("Making a snapshot")
        if state is State.RUNNING:
            _write_out(record)
        snapshots.take(tag)
    memory = " with its memory" if state is State.RUNNING else ""
    session.console.done(f"{name} has the snapshot {tag}{memory}")


def restore(session: Session, name: str, tag: str) -> None:
    """Bring machine `name` to its snapshot `tag`, running if it ran then; what it is now is lost."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"restore {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        wanted = find(of(driver), name, tag)
        state = _state_for(record, driver, tuple(State))
        session.console.step("Restoring the snapshot")
        if state is not State.STOPPED:
            power.stop(session, driver, Verb.KILL)
        waiting.repeat(session, driver, lambda: of(driver).restore(tag), f"the platform to restore {name}")
        with_memory = wanted.memory or driver.state() is State.SAVED
        if with_memory:
            power.start(session, record, driver, suspended=True)
    if not with_memory:
        session.console.done(f"{name} is what it was at {tag}, and is off: machine start {name}")


def remove(session: Session, name: str, tag: str) -> None:
    """Remove the snapshot `tag` of machine `name`. Raises UsageError if there is none."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"remove a snapshot of {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        find(of(driver), name, tag)
        _state_for(record, driver, (State.RUNNING, State.STOPPED))
        of(driver).remove(tag)
    session.console.done(f"the snapshot {tag} of {name} is removed")


def of(driver: Driver) -> Snapshots:
    """Return the snapshots of a driver's machine. Raises NotSupported if the driver has none."""
    if not isinstance(driver, HasSnapshots):
        raise NotSupported(
            f"the driver {driver.traits.name} has no snapshots",
            resolution=f"make them of {driver.ctx.name} with the platform's own means",
        )
    return driver.snapshots()


def find(snapshots: Snapshots, name: str, tag: str) -> Snapshot:
    """Return the snapshot `tag` of machine `name`. Raises UsageError if there is none, with those that there are."""
    known = list(snapshots.all())
    found = next((one for one in known if one.tag == tag), None)
    if found is None:
        there = f"it has: {', '.join(one.tag for one in known)}" if known else "it has no snapshots"
        raise UsageError(f"{name} has no snapshot {tag}", details=there, resolution=f"machine snapshot ls {name}")
    return found


def _state_for(record: Record, driver: Driver, allowed: Sequence[State]) -> State:
    """Return the machine's state. Raises DriverError if it is none of those in which that can be done."""
    state = driver.state()
    if state is State.MISSING:
        raise power.missing_error(record)
    if state not in allowed:
        resolution = f"machine start {record.name}"
        if state is State.SAVED:
            resolution += f"; or give its saved memory up: machine kill {record.name}"
        raise DriverError(f"{record.name} is {state}, and has to be running or stopped for that", resolution=resolution)
    return state


def _write_out(record: Record) -> None:
    """Have the machine write what it holds in memory for its disk: a clone of the snapshot gets the disk alone.

    One that does not answer is as it is after a power cut, which its file system survives.
    """
    endpoint = record.endpoint()
    if endpoint is None:
        return
    with suppress(MachineError), clients.connect(record, endpoint) as shell:
        shell.run("sync", timeout=SYNC_SECONDS)
