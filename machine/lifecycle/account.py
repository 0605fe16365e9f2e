"""Whose account is asked about a machine: the one that it was made in, or one that happens to be in the shell.

Another account's answer is "no such machine" too. Believing it would forget a machine that goes on costing money, or
make a second one elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from machine import secrets
from machine.drivers.base import AccountAware, Driver
from machine.errors import DriverError
from machine.model import State
from machine.options import Option
from machine.session import Session
from machine.store import Record


def check_account(session: Session, record: Record, driver: Driver, *, command: str = "machine rm") -> None:
    """DriverError when the machine cannot be seen, and the account that is asked is, or may be, another one.

    `command` is what the user wants, to be followed by the name.
    """
    recorded = driver.account_recorded() if isinstance(driver, AccountAware) else ""
    others = _overridden(session, record, driver)
    if not (recorded or others):
        return
    variables = ", ".join(f"${name}" for name in others)
    try:
        if driver.state() not in (State.MISSING, State.NONE):  # a plugin has no word for a machine that is gone
            return
    except DriverError as error:
        if others:
            error.details = f"{error.details}\n{variables} differ from what is kept for {record.name}".strip()
            error.resolution = error.resolution or f"unset {' '.join(others)}, then {command} {record.name}"
        raise
    asked = driver.account_asked() if recorded and isinstance(driver, AccountAware) else ""
    if recorded and recorded == asked:
        return
    if asked:
        raise DriverError(
            f"{record.name} was made in the account {recorded}, and the one that was asked is {asked}",
            details=f"{variables} differ from what is kept for {record.name} and were used instead" if others else "",
            resolution=(f"unset {' '.join(others)}" if others else f"use the credentials of {recorded}")
            + f", then {command} {record.name}; if that machine is really gone: machine rm -f {record.name}",
        )
    if others:
        raise DriverError(
            f"{record.name} is not in the account that was asked, which may be another one than it was made in",
            details=f"{variables} differ from what is kept for {record.name} and were used instead",
            resolution=f"unset {' '.join(others)}, then {command} {record.name};"
            f" if that machine is really gone: machine rm -f {record.name}",
        )


def check_before_resume(session: Session, record: Record, driver: Driver) -> None:
    """The same before a create goes on; where nobody tells accounts apart, a new secret is believed, aloud."""
    if isinstance(driver, AccountAware):
        check_account(session, record, driver, command="machine create --resume")
    elif others := _overridden(session, record, driver):
        variables = ", ".join(f"${name}" for name in others)
        session.console.warn(
            f"{variables} differ from what is kept for {record.name} and are used instead;"
            " if they are another account's, what the earlier try made stays in the first one"
        )


def _overridden(session: Session, record: Record, driver: Driver) -> list[str]:
    """The variables whose secrets are used instead of those that are kept."""
    options = driver.secret_options(record.driver)
    return secrets.overridden(record.driver, session.store.directory(record.name), options, session.environ)


def without_secret_env(session: Session, options: Iterable[Option]) -> Session:
    """The same session for the rest of a create: its secrets are on record by now, and what was typed wins."""
    names = {option.env for option in options if option.secret and option.env}
    return replace(session, environ={name: value for name, value in session.environ.items() if name not in names})
