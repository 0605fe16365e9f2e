"""Directories of this computer for a machine: starting and ending the processes that serve them."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial

import machine
from machine import background, background_control, clients
from machine.errors import CommandFailed, MachineError, NotSupported, ShellError
from machine.lifecycle import running, share_files
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.share_files import State
from machine.session import LOCK_SECONDS, Session
from machine.share import mount, nesting
from machine.share.nesting import Mount
from machine.share.spec import Share, checked, from_record, to_record
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
        before = from_record(record.shares())
        tags = {share.path: share.tag for share in before}
        shares = [replace(share, tag=tags.get(share.path, share.tag)) for share in shares]
        paths = {share.path for share in shares}
        after = [*(share for share in before if share.path not in paths), *shares]
        nesting.check(after, name)
        record.set_shares(to_record(after))
        session.store.save(record)
        _end_changed(session, record, before)
        failed = wait(session, record, start(session, record, shares))
        _forget(session, record, [share for share, state, _ in failed if state is State.FAILED])
    if failed:
        raise CommandFailed(
            "\n".join(f"{name} has not got {share.path}: {text}" for share, _, text in failed),
            resolution=_resolution(failed, name),
        )
    for share in shares:
        session.console.done(f"{name} has {share.words} at the same path{_within(share, after)}")


def remove(session: Session, name: str, paths: Collection[str]) -> None:
    """Share the directories at `paths`, or all without any, no longer, and unmount them. Absent is success.

    What was shared inside one of them is mounted by itself then.
    """
    with session.store.lock(f"machine-{name}", seconds=LOCK_SECONDS, what=f"share with {name}"):
        record = session.store.load(name)
        before = from_record(record.shares())
        ending = [share for share in before if not paths or share.path in paths]
        after = [share for share in before if share not in ending]
        record.set_shares(to_record(after))
        session.store.save(record)
        off = _is_off(session, record)
        _end_changed(session, record, before, unmount=not off)
        for share in ending:
            outer = nesting.around(share, after)
            session.console.done(
                f"{name} has {share.path} only as a part of {outer.words}"
                if outer
                else f"{name} does not have {share.path} any more"
            )
        for path in sorted(set(paths) - {share.path for share in before}):
            session.console.warn(f"{path} is no share of {name}; machine share {name} lists what is")
        if not paths:
            _end(session, name, share_files.tags(session.store, name))
        known = [_mount_options(found) for found in nesting.mounts(before)]
        changed = [found.share for found in nesting.mounts(after) if _mount_options(found) not in known]
        for share, _, text in [] if off else wait(session, record, start(session, record, changed)):
            session.console.warn(f"{name} has not got {share.path}: {text}; machine share {name} shows how far it is")


def _is_off(session: Session, record: Record) -> bool:
    """Whether the machine is known to be off: nothing is mounted there, and its next start mounts what is to be."""
    try:
        return running.known_state(record, open_driver(session, record)) in running.OFF
    except MachineError:  # a plugin that is not there any more, say
        return False


def _end_changed(session: Session, record: Record, before: Collection[Share], *, unmount: bool = True) -> None:
    """End what is mounted otherwise by the record than by the shares `before`, and unmount what is not mounted now."""
    now = {found.share.path: found for found in nesting.mounts(from_record(record.shares()))}
    for old in nesting.mounts(before):
        new = now.get(old.share.path)
        if new is None and unmount:
            _unmount(session, record, old)
        if new is None or _mount_options(new) != _mount_options(old):
            _end(session, record.name, [old.share.tag])


def _mount_options(found: Mount) -> tuple[str, str, bool]:
    """With what something is mounted; what is shared inside it is found out by the process that serves it."""
    return found.share.path, found.share.target, found.writable


def _within(share: Share, shares: Collection[Share]) -> str:
    """What to say of a share inside another one, "" for others."""
    outer = nesting.around(share, [*shares])
    return f", where this counts instead of {outer.words}" if outer else ""


def start(session: Session, record: Record, shares: Iterable[Share] | None = None) -> list[Share]:
    """Start the processes of the machine's shares, or of some of them, that do not run; return these shares."""
    store, known = session.store, from_record(record.shares())
    wanted = known if shares is None else list(shares)
    package_root = os.path.dirname(os.path.dirname(os.path.abspath(machine.__file__)))
    for tag in dict.fromkeys(nesting.mount_of(share, known).share.tag for share in wanted):
        path = share_files.lock(store, record.name, tag)
        if background.running(path):
            continue
        share_files.write_state(store, record.name, tag, State.CONNECTING, "")
        background.expect(path)
        background_control.start(
            path,
            share_files.purpose(record.name),
            [sys.executable, "-m", "machine.lifecycle.share_service", store.root, record.name, tag],
            log=share_files.log(store, record.name, tag),
            ready=partial(_is_under_way, store, record.name, tag),
            cwd=package_root,
            resolution=f"machine share {record.name} shows how far it is",
        )
    return wanted


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
        for found in nesting.mounts(from_record(record.shares())):
            if background.missing(share_files.lock(store, record.name, found.share.tag)):
                start(session, record, [found.share])
                session.console.info(
                    f"the process that shares {found.share.path} with {record.name} had ended: started again"
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
    shares = from_record(record.shares())
    for share in shares:
        if share not in [one for one, _, _ in failed]:
            more = _within(share, shares) or ", without keys and credentials"
            session.console.info(f"{record.name} has {share.words} at the same path{more}")


def pause(session: Session, name: str) -> None:
    """End the processes of a machine's shares, which stay in its record."""
    _end(session, name, share_files.tags(session.store, name))


def _forget(session: Session, record: Record, refused: Collection[Share]) -> None:
    """Take what the machine cannot have out of its record, and mount by itself what was to be a part of it."""
    if not refused:
        return
    before = from_record(record.shares())
    record.set_shares(to_record(share for share in before if share not in refused))
    session.store.save(record)
    _end(session, record.name, [share.tag for share in refused])
    start(session, record)


def unmount_all(session: Session, record: Record) -> None:
    """Unmount the shares of a host that stays, and remove their empty directories there, if it can be reached."""
    for found in nesting.mounts(from_record(record.shares())):
        _unmount(session, record, found)


def wait(session: Session, record: Record, shares: Iterable[Share]) -> list[tuple[Share, State, str]]:
    """Wait until the machine has these shares; return those that it has not got, with their state and the reason.

    A share for which a package is installed there first is not waited for.
    """
    deadline = session.clock.now() + MOUNT_SECONDS
    failed: list[tuple[Share, State, str]] = []
    for share in shares:
        while True:
            state, text = state_of(session, record, share)
            late = session.clock.now() >= deadline
            if state is State.MOUNTED:
                break
            if state in (State.FAILED, State.OFF, State.INSTALLING) or late:
                failed.append((share, state, text or ("it did not connect in time" if late else "")))
                break
            session.clock.sleep(_LOOK_EVERY)
    return failed


def state_of(session: Session, record: Record, share: Share) -> tuple[State, str]:
    """How far a share is, and why. One whose process does not run is OFF, unless it failed."""
    tag = nesting.mount_of(share, from_record(record.shares())).share.tag
    state, text = share_files.read_state(session.store, record.name, tag)
    path = share_files.lock(session.store, record.name, tag)
    alive = os.path.exists(path) and not background.missing(path)
    return (state, text) if alive or state is State.FAILED else (State.OFF, text)


def _end(session: Session, name: str, tags: Iterable[str]) -> None:
    """End the processes of these shares. One that cannot be ended sees that its lock file is gone, and ends itself."""
    for tag in tags:
        try:
            background_control.end(share_files.lock(session.store, name, tag), share_files.purpose(name), unwanted=True)
        except MachineError as error:
            session.console.warn(f"{error.brief}; it ends by itself, or: {error.resolution}")
        share_files.remove(session.store, name, tag)


def _unmount(session: Session, record: Record, found: Mount) -> None:
    """Unmount a share on the machine; where nobody can log in, the end of its process does that."""
    endpoint = record.endpoint()
    if endpoint is None:
        return
    try:
        with clients.connect(record, endpoint) as shell:
            result = shell.run(mount.unmount(found), timeout=UNMOUNT_SECONDS)
        if result.status != 0:
            session.console.warn(f"{found.share.path} is still mounted on {record.name}: {result.output}")
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
