"""Removal of a machine, or of what is left of it: on the platform first, in the store last."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Collection

from machine import engine_proxy, files, paths, secrets
from machine.clusters import table as clusters
from machine.clusters.hooks import Removal
from machine.drivers.base import Driver
from machine.errors import InProgress, MachineError, StoreError
from machine.lifecycle import abandoned, at_login, clone, share, socket_process
from machine.lifecycle.account import refuse_other_account
from machine.lifecycle.current_context import remove_context
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.forward import control
from machine.session import LOCK_SECONDS, Session
from machine.store import Record
from machine.wait import NotYet, until

QUIET_SECONDS = 1.0  # how long a removal waits before it says for what
END_SECONDS = 300.0  # for the platform to finish the removal


def remove(session: Session, name: str, *, force: bool = False, also_removed: Collection[str] = ()) -> None:
    """Remove all that `create` made. With `force` the record goes even when the platform does not answer.

    `also_removed` are the names that this command removes. Repeating it finishes what an interrupted removal began:
    absent is success for every part.
    """
    store = session.store
    with store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"remove {name}"):
        if store.exists(name):
            store.check_removable(name)
        record, driver = None, None
        try:
            if control.stop(store, name):
                session.console.info("its ports are not forwarded any more")
            record = store.load(name)
            session.console.step("Removing the machine")
            driver = open_driver(session, record)
            if not force:
                refuse_other_account(session, record, driver)
            removal = Removal(keep_host=driver.traits.existing_host, force=force, also_removed=also_removed)
            for hooks in clusters.hooks_of(record):
                hooks.leave(session, record, removal)
            if removal.keep_host:
                share.unmount_all(session, record)
            share.pause(session, name)
            _remove_all(session, driver)
            _forget_secrets(session, record, driver)
        except MachineError as error:
            if not store.exists(name) or not (force or is_without_record(store.directory(name))):
                raise
            if record is not None:
                for hooks in clusters.hooks_of(record):
                    hooks.after_failed_removal(session, record, Removal(force=force, also_removed=also_removed))
            if record is not None and driver is not None:
                with contextlib.suppress(MachineError):  # the keyring may be what failed
                    _forget_secrets(session, record, driver)
            session.console.warn(f"{error.brief}; its record is removed anyway, look for leftovers")
            share.pause(session, name)
            abandoned.end_processes(session, name)
            if driver is None:
                abandoned.show_ids(session, name)
        _forget(session, name)
    session.console.done(f"{name} is removed")
    source = clone.source_of(record) if record else None
    if source and source.machine not in also_removed:
        clone.remove_unneeded_of(session, source)


def _forget(session: Session, name: str) -> None:
    """Remove what this computer has of a machine that its platform does not have any more; its directory comes last."""
    remove_context(session, name)
    at_login.remove_all(session, name)
    _end_socket(session, name)
    _delete_directory(session, name)
    session.store.drop_lock(f"machine-{name}")


def _end_socket(session: Session, name: str) -> None:
    """End the process that serves the machine's unix socket, if there is one."""
    try:
        if socket_process.stop(session, name):
            session.console.info("its unix socket is gone, too")
    except MachineError as error:
        session.console.warn(f"its unix socket stays: {error.brief}; to end it: machine socket --stop {name}")


def _delete_directory(session: Session, name: str) -> None:
    """Remove the machine's directory, which is the last of it. StoreError says so, and how to finish."""
    try:
        session.store.delete(name)
    except StoreError as error:
        error.details = f"{error.details}\nall else of {name} is removed already".strip()
        if session.store.exists(name):
            error.resolution = f"{error.resolution}; or, once it may be removed: machine rm {name}"
        raise


def _forget_secrets(session: Session, record: Record, driver: Driver) -> None:
    keys = [option.key for option in driver.secret_options(record.driver_object) if option.secret]
    secrets.forget(session.store.directory(record.name), [*keys, engine_proxy.SECRET], session.environ)


def _remove_all(session: Session, driver: Driver) -> None:
    """Call the driver until it has nothing more to wait for. Raises WaitTimeout with what it was waiting for."""
    announce_at = session.clock.now() + QUIET_SECONDS

    def attempt() -> None:
        nonlocal announce_at
        try:
            driver.remove()
        except InProgress as error:
            if session.clock.now() >= announce_at:
                announce_at = math.inf  # once
                session.console.info(f"{error.brief}; what depends on it is removed after that")
            raise NotYet.because(error) from error

    until(
        attempt,
        what=f"the platform to delete {driver.ctx.name}",
        seconds=END_SECONDS,
        clock=session.clock,
        every=0.1,  # a process on this computer needs no longer
        longest=4.0,
        resolution=f"machine rm {driver.ctx.name} again removes the rest; machine rm -f {driver.ctx.name} forgets it",
    )


def is_without_record(directory: str) -> bool:
    """Return whether a create was killed before its record was written: then nothing was asked of any platform.

    The driver's secrets are written before the record. What is written after it (an ssh key is the first) shows that
    there was a record, which got lost.
    """
    return all(entry in (paths.LOG, paths.SECRETS) or files.leftover(entry) for entry in os.listdir(directory))
