"""Directories of this computer for a machine: starting and ending the processes that serve them."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from functools import partial

import machine
from machine import background, background_control, clients
from machine.errors import CommandFailed, MachineError, NotSupported, ShellError
from machine.lifecycle import running, share_files
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.share_files import State
from machine.session import LOCK_SECONDS, Session
from machine.share import mount
from machine.share.spec import Share, check_apart, checked, from_record, to_record
from machine.store import Record, Store

MOUNT_SECONDS = 60.0  # for a share to be mounted before a command goes on without it
UNMOUNT_SECONDS = 20.0
_LOOK_EVERY = 0.1


def add(session: Session, name: str, shares: Collection[Share]) -> None:
    """Share directories with a machine from now on, and wait until it has them.

    Raises UsageError for what is no directory, DriverError for a machine that is off, CommandFailed if the machine has
    not got one of them.
    """
    shares = [checked(share, session.store.root) for share in shares]
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"share with {name}"):
        record = session.store.load(name)
        driver = open_driver(session, record)
        if not driver.traits.has_host:
            raise NotSupported(
                f"{name} is only a URL (driver {record.driver_name}): there is nothing to share with",
                resolution="share with a machine that ssh reaches",
            )
        running.require_if_known(record, driver)
        paths = {share.path for share in shares}
        known = from_record(record.shares())
        check_apart([*(share for share in known if share.path not in paths), *shares])
        changed = [share for share in known if share.path in paths and share not in shares]
        _end(session, name, [share.tag(session.store.root, name) for share in changed])
        record.set_shares(to_record([*(share for share in known if share.path not in paths), *shares]))
        session.store.save(record)
        failed = wait(session, record, start(session, record, shares))
        _forget(session, record, [share for share, state, _ in failed if state is State.FAILED])
    if failed:
        raise CommandFailed(
            "\n".join(f"{name} has not got {share.path}: {text}" for share, _, text in failed),
            resolution=_resolution(failed, name),
        )
    for share in shares:
        session.console.done(f"{name} has {share.words} at the same path")


def remove(session: Session, name: str, paths: Collection[str]) -> None:
    """Share the directories at `paths`, or all without any, no longer, and unmount them. Absent is success."""
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"share with {name}"):
        record = session.store.load(name)
        known = from_record(record.shares())
        ending = [share for share in known if not paths or share.path in paths]
        record.set_shares(to_record(share for share in known if share not in ending))
        session.store.save(record)
        for share in ending:
            _unmount(session, record, share)
            _end(session, name, [share.tag(session.store.root, name)])
            session.console.done(f"{name} does not have {share.path} any more")
        for path in sorted(set(paths) - {share.path for share in known}):
            session.console.warn(f"{path} is no share of {name}; machine share {name} lists what is")
        if not paths:
            _end(session, name, share_files.tags(session.store, name))


def start(session: Session, record: Record, shares: Iterable[Share] | None = None) -> list[Share]:
    """Start the processes of the machine's shares, or of some of them, that do not run; return these shares."""
    store, wanted = session.store, list(from_record(record.shares()) if shares is None else shares)
    package_root = os.path.dirname(os.path.dirname(os.path.abspath(machine.__file__)))
    for share in wanted:
        tag = share.tag(store.root, record.name)
        path = share_files.lock(store, record.name, tag)
        if background.running(path):
            continue
        share_files.write_state(store, record.name, tag, State.CONNECTING, "")
        background.expect(path)
        background_control.start(
            path,
            _purpose(record.name),
            [sys.executable, "-m", "machine.lifecycle.share_service", store.root, record.name, tag],
            log=share_files.log(store, record.name, tag),
            ready=partial(_is_under_way, store, record.name, tag),
            cwd=package_root,
            resolution=f"machine share {record.name} shows how far it is",
        )
    return wanted


def _purpose(name: str) -> str:
    return f"share with {name}"


def _is_under_way(store: Store, name: str, tag: str, pid: int) -> bool:
    """Whether a process has begun with a share, or ended by itself again: the machine may have refused it."""
    return bool(pid) or share_files.read_state(store, name, tag)[0] is not State.CONNECTING


def start_early(session: Session, record: Record) -> None:
    """Start what `resume` will wait for, so that the machine gets it while Docker is set up. Never raises."""
    try:
        start(session, record)
    except MachineError as error:  # resume tries it again, and warns
        session.console.debug(f"no directory is shared with {record.name} yet: {error.brief}")


def restart(session: Session, record: Record) -> None:
    """Start the processes again that have ended by themselves. Never raises: the command has other work to do."""
    store = session.store
    try:
        for share in from_record(record.shares()):
            if background.missing(share_files.lock(store, record.name, share.tag(store.root, record.name))):
                start(session, record, [share])
                session.console.info(
                    f"the process that shares {share.path} with {record.name} had ended: started again"
                )
    except MachineError as error:
        session.console.warn(f"directories are not shared with {record.name}: {error.brief}")


def resume(session: Session, record: Record) -> None:
    """Start what the record says and wait for it; what the machine has not got is warned of."""
    if not record.shares():
        return
    session.console.step("Sharing directories with the machine")
    try:
        failed = wait(session, record, start(session, record))
    except MachineError as error:
        session.console.warn(f"no directory is shared with {record.name}: {error.brief}")
        return
    for share, state, text in failed:
        if state is State.INSTALLING:
            session.console.warn(f"{record.name} has {share.path} only when sshfs is installed there: machine share ls")
        else:
            session.console.warn(
                f"{record.name} has not got {share.path}: {text or state}; bind mounts of it are empty"
            )
    for share in from_record(record.shares()):
        if share not in [one for one, _, _ in failed]:
            session.console.info(f"{record.name} has {share.words} at the same path, without keys and credentials")


def pause(session: Session, name: str) -> None:
    """End the processes of a machine's shares, which stay in its record."""
    _end(session, name, share_files.tags(session.store, name))


def _forget(session: Session, record: Record, refused: Collection[Share]) -> None:
    """Take what the machine cannot have out of its record."""
    if refused:
        record.set_shares(to_record(share for share in from_record(record.shares()) if share not in refused))
        session.store.save(record)
        _end(session, record.name, [share.tag(session.store.root, record.name) for share in refused])


def unmount_all(session: Session, record: Record) -> None:
    """Unmount the shares of a host that stays, and remove their empty directories there, if it can be reached."""
    for share in from_record(record.shares()):
        _unmount(session, record, share)


def wait(session: Session, record: Record, shares: Iterable[Share]) -> list[tuple[Share, State, str]]:
    """Wait until the machine has these shares; return those that it has not got, with their state and the reason.

    A share for which a package is installed there first is not waited for.
    """
    deadline = session.clock.now() + MOUNT_SECONDS
    failed: list[tuple[Share, State, str]] = []
    for share in shares:
        while True:
            state, text = state_of(session, record.name, share)
            late = session.clock.now() >= deadline
            if state is State.MOUNTED:
                break
            if state in (State.FAILED, State.OFF, State.INSTALLING) or late:
                failed.append((share, state, text or ("it did not connect in time" if late else "")))
                break
            session.clock.sleep(_LOOK_EVERY)
    return failed


def state_of(session: Session, name: str, share: Share) -> tuple[State, str]:
    """How far a share is, and why. One whose process does not run is OFF, unless it failed."""
    tag = share.tag(session.store.root, name)
    state, text = share_files.read_state(session.store, name, tag)
    path = share_files.lock(session.store, name, tag)
    alive = os.path.exists(path) and not background.missing(path)
    return (state, text) if alive or state is State.FAILED else (State.OFF, text)


def _end(session: Session, name: str, tags: Iterable[str]) -> None:
    """End the processes of these shares. One that cannot be ended sees that its lock file is gone, and ends itself."""
    for tag in tags:
        try:
            background_control.end(share_files.lock(session.store, name, tag), _purpose(name), unwanted=True)
        except MachineError as error:
            session.console.warn(f"{error.brief}; it ends by itself, or: {error.resolution}")
        share_files.remove(session.store, name, tag)


def _unmount(session: Session, record: Record, share: Share) -> None:
    """Unmount a share on the machine; where nobody can log in, the end of its process does that."""
    endpoint = record.endpoint()
    if endpoint is None:
        return
    tag = share.tag(session.store.root, record.name)
    try:
        with clients.connect(record, endpoint) as shell:
            result = shell.run(mount.unmount(share, tag), timeout=UNMOUNT_SECONDS)
        if result.status != 0:
            session.console.warn(f"{share.path} is still mounted on {record.name}: {result.output}")
    except ShellError as error:
        session.console.debug(f"not unmounted: {error.brief}")


def _resolution(failed: Collection[tuple[Share, State, str]], name: str) -> str:
    if any(state is State.INSTALLING for _, state, _ in failed):
        return f"sshfs is being installed there, and the directory follows by itself: machine share {name} shows it"
    for _, _, text in failed:
        for refusal, cure in mount.REFUSALS.values():
            if text == refusal:
                return cure
    return f"machine share {name} shows how far it is; machine share --stop {name} ends it"
