"""Which account of a cloud is asked about a machine: the one it was made in, or one that the environment names.

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


def refuse_other_account(session: Session, record: Record, driver: Driver, *, command: str = "machine rm") -> None:
    """Raise DriverError when the machine cannot be seen, and the account that is asked is, or may be, another one.

    `command` is the command that the user gave, without the name of the machine: it is part of the error's advice.
    """
    recorded = driver.account_recorded() if isinstance(driver, AccountAware) else ""
    overriding = _overriding_variables(session, record, driver)
    if not (recorded or overriding):
        return
    variables = ", ".join(f"${name}" for name in overriding)
    try:
        if driver.state() not in (State.MISSING, State.NONE):  # a plugin has no word for a machine that is gone
            return
    except DriverError as error:
        if overriding:
            error.details = f"{error.details}\n{variables} differ from what is kept for {record.name}".strip()
            error.resolution = error.resolution or f"unset {' '.join(overriding)}, then {command} {record.name}"
        raise
    queried = driver.current_account() if recorded and isinstance(driver, AccountAware) else ""
    if recorded and recorded == queried:
        return
    if queried:
        raise DriverError(
            f"{record.name} was made in the account {recorded}, and the one that was asked is {queried}",
            details=f"{variables} differ from what is kept for {record.name} and were used instead"
            if overriding
            else "",
            resolution=(f"unset {' '.join(overriding)}" if overriding else f"use the credentials of {recorded}")
            + f", then {command} {record.name}; if that machine is really gone: machine rm -f {record.name}",
        )
    if overriding:
        raise DriverError(
            f"{record.name} is not in the account that was asked, which may be another one than it was made in",
            details=f"{variables} differ from what is kept for {record.name} and were used instead",
            resolution=f"unset {' '.join(overriding)}, then {command} {record.name};"
            f" if that machine is really gone: machine rm -f {record.name}",
        )


def check_before_resume(session: Session, record: Record, driver: Driver) -> None:
    """Raise DriverError before a create is resumed in another account than it was begun in.

    A driver that cannot tell accounts apart uses the secrets of the environment, with a warning.
    """
    if isinstance(driver, AccountAware):
        refuse_other_account(session, record, driver, command="machine create --resume")
    elif overriding := _overriding_variables(session, record, driver):
        variables = ", ".join(f"${name}" for name in overriding)
        session.console.warn(
            f"{variables} differ from what is kept for {record.name} and are used instead;"
            " if they are another account's, what the earlier try made stays in the first one"
        )


def _overriding_variables(session: Session, record: Record, driver: Driver) -> list[str]:
    """Return the environment variables whose secrets are used instead of those that are kept."""
    options = driver.secret_options(record.driver_object)
    return secrets.overridden(record.driver_object, session.store.directory(record.name), options, session.environ)


def without_secret_env(session: Session, options: Iterable[Option]) -> Session:
    """Return a session without the variables of secret options, for the steps of a create after its record is written.

    The secrets are kept by then, and one that was typed goes before one of the environment.
    """
    names = {option.env for option in options if option.secret and option.env}
    return replace(session, environ={name: value for name, value in session.environ.items() if name not in names})
