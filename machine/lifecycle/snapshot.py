"""Snapshots of a machine: made, restored and removed, where its driver has them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from machine import clients
from machine.drivers.base import Changeable, Driver, HasSnapshots, Snapshot, Snapshots
from machine.drivers.images.snapshot_tag import is_tag
from machine.errors import DriverError, MachineError, NotSupported, UsageError
from machine.lifecycle import pending_changes, power, waiting
from machine.lifecycle.change import value_text
from machine.lifecycle.driver_record import open_driver
from machine.model import State, Verb
from machine.options import Values
from machine.session import LOCK_SECONDS, Session
from machine.store import Record

MOST = 200  # of one machine: a disk image with more than 256 is refused as damaged when its machine is started
SYNC_SECONDS = 60.0  # for the machine to write what it has not written yet


def check_tag(tag: str) -> None:
    """Raise UsageError if that cannot be the tag of a snapshot."""
    if not is_tag(tag):
        raise UsageError(
            f"{tag!r} cannot be the tag of a snapshot",
            resolution="use letters, digits and _.- (63 at most), a letter or digit first, such as before-upgrade",
        )


def list_snapshots(session: Session, name: str) -> Sequence[Snapshot]:
    """Return the snapshots of machine `name`, oldest first. Raises NotSupported if its driver has none."""
    return of(open_driver(session, session.store.load(name))).all()


def find_snapshot(session: Session, name: str, tag: str) -> Snapshot:
    """Return the snapshot `tag` of machine `name`. Raises UsageError if there is none."""
    return find(of(open_driver(session, session.store.load(name))), name, tag)


def take(session: Session, name: str, tag: str, *, for_clones: bool = False) -> None:
    """Make the snapshot `tag` of machine `name`, with its memory if it runs. Raises DriverError if the tag is taken.

    One `for_clones`, which boot, is of the disk alone where the driver can do that, and is first written down as such:
    see `machine.lifecycle.clone.remove_unneeded`.
    """
    check_tag(tag)
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"snapshot {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        snapshots = of(driver)
        state = _state_for(record, driver, (State.RUNNING, State.STOPPED))
        _check_room(snapshots.all(), name, tag)
        if for_clones:
            record.clone_snapshots = [*record.clone_snapshots, tag]
            session.store.save(record)
        session.console.step("Making a snapshot")
        if state is State.RUNNING:
            _write_out(record)
        memory = snapshots.take(tag, memory=not for_clones)
    session.console.done(f"{name} has the snapshot {tag}{' with its memory' if memory else ''}")


def _check_room(known: Sequence[Snapshot], name: str, tag: str) -> None:
    """Raise DriverError if a machine with the snapshots `known` cannot have one with that tag."""
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


def restore(session: Session, name: str, tag: str) -> None:
    """Bring machine `name` to its snapshot `tag`, running if it ran then; what it is now is lost.

    Its record then says what it has, where a snapshot brings back what `machine set` has changed since.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"restore {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        snapshots, before = of(driver), _values(driver)
        state = _state_for(record, driver, tuple(State))
        wanted = find(snapshots, name, tag)
        session.console.step("Restoring the snapshot")
        if state is not State.STOPPED:
            power.stop(session, driver, Verb.KILL)
        with pending_changes.brought_back(session, record, driver, snapshots.restored_options):
            waiting.repeat(session, driver, lambda: snapshots.restore(wanted), f"the platform to restore {name}")
        for option, value in _values(driver).items():
            if value != before[option]:
                was = f"{value_text(before[option])} -> {value_text(value)}"
                session.console.info(f"{option} of {name}: {was}, as it was at {tag}")
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
        remove_of(session, record, driver, tag)
    session.console.done(f"the snapshot {tag} of {name} is removed")


def remove_of(session: Session, record: Record, driver: Driver, tag: str) -> None:
    """Remove the snapshot `tag` that the machine has, whose lock is held."""
    _state_for(record, driver, (State.RUNNING, State.STOPPED))
    of(driver).remove(tag)
    forget_clone_snapshot(session, record, tag)


def forget_clone_snapshot(session: Session, record: Record, tag: str) -> None:
    """Strike a snapshot, which is gone, off those that were made for clones."""
    if tag in record.clone_snapshots:
        record.clone_snapshots = [other for other in record.clone_snapshots if other != tag]
        session.store.save(record)


def _values(driver: Driver) -> Values:
    """Return what the record has of the options that can be changed, by their names."""
    return dict(driver.current_values()) if isinstance(driver, Changeable) else {}


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
