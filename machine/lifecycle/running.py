"""Refusing at once what needs a machine that runs, instead of waiting for one that is off."""

from __future__ import annotations

import threading

from machine.drivers.base import Driver
from machine.errors import DriverError
from machine.model import State
from machine.store import Record

OFF = (State.STOPPED, State.SAVED, State.PAUSED)  # where `start` helps
STATE_SECONDS = 5.0  # for a platform to answer; what is wanted may go without it


def require(record: Record, driver: Driver) -> None:
    """Raise DriverError for a machine that is off and that `start` can switch on; other hosts are only waited for."""
    if _can_be_started(record, driver) and (state := driver.state()) in OFF:
        raise _off_error(record, state)


def require_if_known(record: Record, driver: Driver) -> None:
    """Raise the error of `require` if the platform says so within STATE_SECONDS.

    For what goes over ssh alone: a platform that does not answer, or has no credentials here, keeps nobody from it.
    """
    state = known_state(record, driver)
    if state in OFF:
        raise _off_error(record, state)


def known_state(record: Record, driver: Driver) -> State:
    """Return the state of a machine that `start` can switch on, NONE for others and if it is not told in STATE_SECONDS.

    Never raises.
    """
    states: list[State] = []

    def ask() -> None:
        try:
            states.append(driver.state())
        except Exception:  # a platform's library may raise anything; what is wanted is tried then
            return

    if not _can_be_started(record, driver):
        return State.NONE
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(STATE_SECONDS)
    return states[0] if states else State.NONE


def _can_be_started(record: Record, driver: Driver) -> bool:
    return driver.traits.can_power and record.reached("ready")


def _off_error(record: Record, state: State) -> DriverError:
    word = "suspended" if state is State.SAVED else state.lower()
    return DriverError(
        f"{record.name} is {word}",
        resolution=f"machine start {record.name}, then this command again",
        machine=record.name,
    )
