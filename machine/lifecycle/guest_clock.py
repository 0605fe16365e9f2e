"""The clock of a machine that goes on after it was suspended: it shows the time at which it stopped."""

from __future__ import annotations

import time

from machine.drivers.base import Driver
from machine.errors import ShellError
from machine.lifecycle import waiting
from machine.session import Session
from machine.store import Record

SECONDS = 30.0  # for the command that sets it


def set_now(session: Session, record: Record, driver: Driver) -> None:
    """Wait until the resumed machine can be logged in to, and set its clock; a warning if it refuses that."""
    endpoint = waiting.wait_for_endpoint(session, record, driver)
    with waiting.wait_for_shell(session, record, driver, endpoint, driver.boot_timeout) as shell:
        try:
            result = shell.run(command(time.time()), timeout=SECONDS)
        except ShellError as error:
            session.console.warn(f"the clock of {record.name} could not be set: {error.brief}")
            return
    if result.status != 0:
        session.console.warn(
            f"the clock of {record.name} could not be set, and shows the time at which it was suspended: "
            f"{result.output.strip()[:200]}"
        )


def command(now: float) -> str:
    """Return the command that sets a clock to `now`, seconds since 1970."""
    return f'if [ "$(id -u)" = 0 ]; then S=; else S="sudo -n"; fi; $S date -u -s @{now:.3f} >/dev/null'
