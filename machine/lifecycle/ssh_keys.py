"""The ssh keys of a machine: a key of the user's own is checked before anything is made and copied, others are made."""

from __future__ import annotations

import os

from machine import files, paths
from machine.drivers.base import AcceptsHostKey, Driver, ProvidesSshKey
from machine.errors import LoginRefused, PreflightFailed, StoreError, reason_of
from machine.lifecycle.driver_record import open_driver
from machine.session import Session
from machine.ssh import keys, private_key
from machine.store import Record


def check(driver: Driver) -> None:
    """Raise PreflightFailed when the user's key needs the ssh-agent and the agent does not have it. Read-only.

    A machine made with such a key would let nobody in. The driver's own `check` has seen that the file is a key.
    """
    path = driver.key_path() if isinstance(driver, ProvidesSshKey) else None
    if path is None:
        return
    from machine.ssh import login  # paramiko

    try:
        if not path and driver.traits.existing_host:  # a plugin makes its key while it creates, and says "" before
            login.check_agent("no ssh key is set for it")
        elif not path:
            return
        else:
            key = private_key.load(path)
            if key.needs_agent:
                login.check_agent(login.agent_reason(path, key), key.public, f"ssh-add {path}")
    except LoginRefused as error:
        raise PreflightFailed(error.brief, details=error.details, resolution=error.resolution) from None
    except (OSError, private_key.KeyProblem) as error:
        raise PreflightFailed(f"the key {path} cannot be used: {reason_of(error)}") from None


def copy_user_key(record: Record, source: str, target: str) -> str:
    """Copy the user's own key to `target`, once, in a form that every ssh reads, and return `target`.

    Raises StoreError if the key is gone or cannot be used.
    """
    if os.path.exists(target):
        return target
    try:
        key = private_key.load(source)
    except FileNotFoundError:
        raise StoreError(
            f"the key {source} of {record.name} is gone", resolution=f"put it back, or: machine rm {record.name}"
        ) from None
    except (OSError, private_key.KeyProblem) as error:
        raise StoreError(
            f"the key {source} of {record.name} cannot be used: {reason_of(error)}",
            resolution=f"put the right one there, or: machine rm {record.name}",
        ) from None
    public = files.read(source + ".pub")
    if key.public and public.split()[:2] != key.public.encode().split():
        public = f"{key.public} machine-{record.name}\n".encode()  # ssh offers the one beside the key, whatever it is
    if public:
        files.write(target + ".pub", public, files.PUBLIC)
    files.write(target, key.text)
    return target


def ensure_keys(session: Session, record: Record, driver: Driver) -> Driver:
    """Copy or make the keys that belong to the machine, and return the driver opened again so that it knows them."""
    directory = session.store.directory(record.name)
    source = driver.key_path() if isinstance(driver, ProvidesSshKey) else None
    if source is None:
        session.console.step("Making the keys")
        path = os.path.join(directory, paths.SSH_KEY)
        keys.ensure(path, f"machine-{record.name}")
        _record_key_path(session, record, path)
    elif source:
        _record_key_path(session, record, copy_user_key(record, source, os.path.join(directory, paths.OLD_SSH_KEY)))
    if isinstance(driver, AcceptsHostKey):
        pair = keys.ensure(os.path.join(directory, paths.HOST_KEY), record.name)
        if driver.give_host_key(*pair) is not False:
            kind, blob = pair[1].split()[:2]
            files.write(os.path.join(directory, paths.KNOWN_HOSTS), f"{record.name} {kind} {blob}\n".encode())
    return open_driver(session, record)


def _record_key_path(session: Session, record: Record, path: str) -> None:
    if record.driver_object.get("SSHKeyPath") != path:
        record.driver_object["SSHKeyPath"] = path
        session.store.save(record)
