"""Suspending a machine: its memory to disk, where the driver can do that."""

from __future__ import annotations

from machine.drivers.base import Driver, Suspends
from machine.errors import DriverError, MachineError, NotSupported
from machine.lifecycle import share, waiting
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.power import OFF_SECONDS, missing_error
from machine.model import State
from machine.session import LOCK_SECONDS, Session


def suspend(session: Session, name: str) -> None:
    """Suspend machine `name`; one that is suspended already is left alone.

    Raises NotSupported if its driver cannot do that, DriverError if it does not run.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"suspend {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        suspending = able(driver)
        state = driver.state()
        if state is State.SAVED:
            session.console.done(f"{name} is already suspended")
            return
        if state is State.MISSING:
            raise missing_error(record)
        if state is not State.RUNNING:
            raise DriverError(
                f"{name} is {state}: only a running machine can be suspended", resolution=f"machine start {name}"
            )
        session.console.step("Suspending the machine")
        share.pause(session, name)  # a connection does not outlive it; start makes another one
        try:
            suspending.suspend()
        except MachineError:  # it runs on
            share.resume(session, record)
            raise
        waiting.wait_for_state(session, driver, State.SAVED, OFF_SECONDS)
    session.console.done(f"{name} is suspended; machine start {name} goes on")


def able(driver: Driver) -> Suspends:
    """Return the driver as one that suspends machines. Raises NotSupported if it cannot."""
    if not isinstance(driver, Suspends):
        raise NotSupported(
            f"the driver {driver.traits.name} cannot suspend a machine",
            resolution=f"machine stop {driver.ctx.name}",
        )
    return driver
