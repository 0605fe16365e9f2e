"""What was changed in a machine's record with `machine set` is given to the machine, and struck off once it has it.

The record names the options concerned from before the platform is asked until the machine has them: whatever is cut
short is done by the next `set` or `start`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from machine.drivers.base import Changeable, Driver
from machine.errors import DriverError
from machine.lifecycle import waiting
from machine.options import DISK
from machine.provision import script_files
from machine.provision.apply import run_batch
from machine.provision.steps import Run
from machine.session import Session
from machine.ssh.client import Shell
from machine.store import Record

GROW_SECONDS = 60.0  # for the machine to see that its disk has grown
GROW_COMMAND_SECONDS = 300.0  # a large file system on a slow disk
MIN_FRACTION = 0.8  # of the disk: file systems keep something for themselves


def apply(session: Session, record: Record, driver: Driver) -> set[str]:
    """Give the machine what its state allows, and strike off all but disks, whose file systems are to grow.

    Returns the names of the options that it has now, disks among them. Raises WaitTimeout if the platform does not
    come to an end with something, DriverError if it refuses.
    """
    if not record.pending_changes or not isinstance(driver, Changeable):
        return set()
    changeable: Changeable = driver
    known = {option.name for option in driver.traits.options if option.changeable}
    _strike_off(session, record, set(record.pending_changes) - known)  # of another version of the driver

    done = waiting.repeat(
        session,
        driver,
        lambda: set(changeable.apply_changes(record.pending_changes)),
        f"the platform to change {record.name}",
        every=0.2,
    )
    _strike_off(session, record, done - disks_of(driver))
    return done


def apply_before_start(session: Session, record: Record, driver: Driver) -> DriverError | None:
    """Give a machine that is about to start what was changed; return the error if the platform refuses.

    A refusal keeps no machine off: it starts as it was, and the error is raised when it runs. Raises WaitTimeout while
    the platform is still at it.
    """
    try:
        apply(session, record, driver)
    except DriverError as error:
        wanted = " ".join(f"--{name}" for name in record.pending_changes)
        session.console.warn(f"{record.name} starts without what was changed ({wanted}): {error.brief}")
        take_back = f"machine set {record.name} with the values that it had takes it back"
        error.resolution = f"{error.resolution}; {take_back}" if error.resolution else take_back
        return error
    return None


@contextmanager
def brought_back(session: Session, record: Record, driver: Driver, names: Collection[str]) -> Iterator[None]:
    """A context in which a snapshot brings the values of the options `names` back; the driver records what it finds.

    Until that is done they are pending: cut short, the machine gets with its next start what its record says.
    """
    before = record.pending_changes
    record.pending_changes = [*before, *names]
    session.store.save(record)
    yield
    growing = set(before) & disks_of(driver)  # their file systems have not
    _strike_off(session, record, set(names) - growing)


def disks_of(driver: Driver) -> set[str]:
    """Return the names of the driver's options that are the size of the root disk."""
    return {option.name for option in driver.traits.options if option.changeable == DISK}


def grow_root(session: Session, record: Record, driver: Driver) -> None:
    """Grow the root file system of a machine that runs, if its disk was changed, and strike that off.

    What else it can have while it runs, it gets.
    """
    done = apply(session, record, driver)  # of a machine that went on with its saved memory nothing was yet
    grown = disks_of(driver) & set(record.pending_changes) & done
    if not grown or not isinstance(driver, Changeable):
        return
    grow(session, record, driver, driver.wanted_disk())
    _strike_off(session, record, grown)


def grow(session: Session, record: Record, driver: Driver, megabytes: int) -> None:
    """Grow the root file system of a machine to its disk of that size, and say what it has."""
    session.console.step("Growing the root file system")
    endpoint = waiting.wait_for_endpoint(session, record, driver)
    with waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout) as shell:
        disk, file_system = _grow(session, shell, megabytes)
    if not disk:
        session.console.warn(
            f"the root file system of {record.name} is not on a disk of its own, and has not grown with it"
            f" ({file_system} MB); machine ssh {record.name} lets you grow it with that system's own programs"
        )
    elif file_system < disk * MIN_FRACTION:
        session.console.warn(
            f"the root file system of {record.name} has {file_system} MB of its disk's {disk} MB; the rest is in other"
            f" partitions, or growing it failed: machine ssh {record.name} lsblk shows which"
        )
    else:
        session.console.info(f"the root file system of {record.name} has {file_system} MB")


def _grow(session: Session, shell: Shell, wanted: int) -> tuple[int, int]:
    """Return the MB of the root disk and of its file system, which was grown as often as it took to see the disk."""
    deadline = session.clock.now() + GROW_SECONDS
    step = Run("grow the root file system", script_files.read("grow_root"), seconds=GROW_COMMAND_SECONDS)
    while True:
        disk, file_system = sizes_of(run_batch([step], shell)[0].stdout)
        if not disk or disk >= wanted * MIN_FRACTION or session.clock.now() >= deadline:
            return disk, file_system
        session.clock.sleep(1.0)


def sizes_of(output: str) -> tuple[int, int]:
    """Return the MB of the disk and of the file system that a machine printed last, as KiB; zeros for anything else."""
    words = output.strip().rpartition("\n")[2].split()
    if len(words) != 2 or not all(word.isascii() and word.isdigit() and len(word) < 16 for word in words):
        return 0, 0
    return int(words[0]) >> 10, int(words[1]) >> 10


def _strike_off(session: Session, record: Record, names: set[str]) -> None:
    if names & set(record.pending_changes):
        record.pending_changes = [name for name in record.pending_changes if name not in names]
        session.store.save(record)
