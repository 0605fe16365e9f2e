"""`machine set`: options of machines that exist are changed, written down first, then given to the machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.drivers.base import Changeable, Driver, Traits
from machine.errors import DriverError, NotSupported, UsageError
from machine.lifecycle import pending_changes
from machine.lifecycle.driver_record import open_driver, save_driver_state
from machine.lifecycle.power import missing_error, restart
from machine.model import State
from machine.session import LOCK_SECONDS, Session
from machine.store import Record

_OFF = (State.STOPPED, State.STOPPING)


@dataclass(frozen=True, slots=True)
class Change:
    """One option of a machine, by its name without the dashes."""

    option: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was changed of a machine. `pending` are the options that it has with its next start."""

    name: str
    changes: Sequence[Change]
    pending: Sequence[str]
    running: bool


def change(
    session: Session, name: str, values: Mapping[str, Any], *, with_restart: bool = False, dry_run: bool = False
) -> Outcome:
    """Change options of machine `name`; with `with_restart`, restart it if it runs and needs that to have them.

    With `dry_run` it is only looked at whether that can be. Raises NotSupported for a driver that changes nothing,
    UsageError or PreflightFailed for what cannot be; nothing has been changed then.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"change {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        check_options(name, driver.traits, values)
        if not isinstance(driver, Changeable):
            raise NotSupported(_cannot(driver.traits), resolution=f"change {name} by its own means")
        state = _state(record, driver)
        before = dict(driver.current_values())
        driver.change(values)
        after = driver.current_values()
        changes = [Change(key, before[key], after[key]) for key in before if before[key] != after[key]]
        if not dry_run:
            record.pending_changes = [*record.pending_changes, *values]
            save_driver_state(session, record, driver)
            _log(session, name, changes)
            _act(session, record, driver, state, with_restart=with_restart)
        pending = record.pending_changes or [item.option for item in changes if dry_run]
        return Outcome(name, changes, pending, state not in _OFF)


def _act(session: Session, record: Record, driver: Driver, state: State, *, with_restart: bool) -> None:
    """Give the machine what it can have in its state; with `with_restart`, the rest too if it runs."""
    done = pending_changes.apply(session, record, driver)
    if state in _OFF:
        session.console.done(f"{record.name} is off, and has it with its next start: machine start {record.name}")
        return
    needed = set(record.pending_changes) - done
    if needed and with_restart:
        restart(session, record, driver)
        return
    pending_changes.grow_root(session, record, driver)
    session.console.done(
        f"{record.name} has it after a restart: machine restart {record.name}"
        if needed
        else f"{record.name} has it now"
    )


def _log(session: Session, name: str, changes: Sequence[Change]) -> None:
    for item in changes:
        session.console.info(f"{item.option} of {name}: {value_text(item.before)} -> {value_text(item.after)}")
    if not changes:
        session.console.info(f"{name} is recorded like that already")


def value_text(value: object) -> str:
    """Return a value as a user types it."""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "nothing"
    return str(value) if value != "" else "nothing"


def check_options(name: str, traits: Traits, names: Iterable[str]) -> None:
    """Raise UsageError or NotSupported unless the driver of machine `name` can change all these options."""
    changeable = [f"--{option.name}" for option in traits.options if option.changeable]
    if not changeable:
        raise NotSupported(_cannot(traits), resolution=f"change {name} by its own means")
    can = f"of {name}, machine set changes {' '.join(changeable)}"
    wrong = [f"--{option}" for option in names if f"--{option}" not in changeable]
    if wrong:
        raise UsageError(f"{' '.join(wrong)} is not of the driver {traits.name}, which made {name}", resolution=can)
    if not list(names):
        raise UsageError(f"set needs something to change of {name}", resolution=can)


def _cannot(traits: Traits) -> str:
    return f"the driver {traits.name} cannot change a machine"


def _state(record: Record, driver: Driver) -> State:
    """Return the state of the machine. Raises DriverError for one that is not there, not whole, or saved."""
    state = driver.state()
    if state is State.MISSING:
        raise missing_error(record)
    if not record.reached("created"):
        raise DriverError(
            f"machine {record.name} is incomplete (create got as far as '{record.phase}')",
            resolution=f"machine create --resume {record.name} continues from here",
        )
    if state is State.SAVED:
        raise DriverError(
            f"{record.name} is suspended: its memory is saved as it was",
            resolution=f"machine start {record.name}, then this command again",
        )
    return state
