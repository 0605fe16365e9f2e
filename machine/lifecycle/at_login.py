"""What runs for a machine when the user logs in: its start, and the process that serves its unix socket."""

from __future__ import annotations

import getpass

from machine import login_service, paths
from machine.drivers import registry
from machine.drivers.record_keys import TABLE
from machine.errors import MachineError, NotSupported
from machine.lifecycle import socket_process
from machine.login_service import LoginService
from machine.session import Session
from machine.store import Record

LOG = "login.log"  # in the machine's directory; of launchd, as systemd has its journal


def start_on(session: Session, record: Record) -> None:
    """Have the machine started at login from now on. Repeating it brings the service up to date.

    Raises NotSupported for a driver that starts no machines.
    """
    traits = registry.find_recorded(record.driver_name, record.name).traits
    if not traits.can_power:
        raise NotSupported(
            f"the driver {traits.name} cannot start a machine, so it cannot at login either",
            resolution=f"start {record.name} by its own means",
        )
    keys = TABLE.get(record.driver_name)
    local = keys is not None and keys.local_disk
    service = LoginService(
        kind="start",
        root=session.store.root,
        machine=record.name,
        arguments=("start", record.name),
        stop_arguments=("stop", record.name) if local else (),
        environment=login_service.service_environment(session.environ),
    )
    _install(session, service)
    session.console.done(f"{record.name} is started at login from now on")


def start_off(session: Session, name: str) -> None:
    """No longer start the machine at login."""
    if login_service.remove("start", session.store.root, name, session.environ):
        session.console.done(f"{name} is not started at login any more")
    else:
        session.console.info(f"{name} was not started at login")


def socket_on(session: Session, name: str) -> None:
    """Have the machine's unix socket served from every login on, and from now on if the system's session can."""
    socket_process.stop(session, name)  # one in the background would keep the service from it
    service = LoginService(
        kind="socket",
        root=session.store.root,
        machine=name,
        arguments=("socket", name),
        stays=True,
        environment=login_service.service_environment(session.environ),
    )
    _install(session, service)


def socket_off(session: Session, name: str) -> bool:
    """No longer serve the machine's unix socket at login; end the process that does. False if it was not on."""
    removed = login_service.remove("socket", session.store.root, name, session.environ)
    socket_process.stop(session, name)
    return removed


def remove_all(session: Session, name: str) -> None:
    """Take away all that runs at login for a machine that goes. What cannot be removed is said, and stays."""
    for kind in login_service.KINDS:
        try:
            login_service.remove(kind, session.store.root, name, session.environ)
        except MachineError as error:
            session.console.warn(f"what runs at login for {name} stays: {error.brief}; {error.resolution}")


def _install(session: Session, service: LoginService) -> None:
    log = paths.machine(session.store.root, service.machine, LOG)
    for warning in login_service.install(service, session.environ, log):
        session.console.warn(warning)
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # nobody of that id is known here, as in some containers
        user = "$(id -u)"
    if hint := login_service.linger_hint(user):
        session.console.info(hint)
