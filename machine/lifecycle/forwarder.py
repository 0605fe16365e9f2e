"""Restart of a machine's forwarder that has ended: by the out-of-memory killer, by hand, by a crash."""

from __future__ import annotations

from machine.drivers.base import HasForwarder
from machine.errors import MachineError
from machine.lifecycle.driver_record import open_driver
from machine.session import Session
from machine.store import Record


def restart(session: Session, record: Record) -> None:
    """Start the machine's forwarder again and say so. Never raises: the command that noticed has other work to do."""
    try:
        driver = open_driver(session, record)
        if isinstance(driver, HasForwarder) and driver.restart_forwarder():
            session.console.info(f"the process that follows the ports of {record.name} had ended: started again")
    except MachineError as error:
        session.console.warn(f"the process that follows the ports of {record.name} has ended: {error.brief}")
