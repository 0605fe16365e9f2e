"""Starting `machine forward` in the background, ending it, and seeing what runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from machine import background_control, files, paths
from machine.errors import MachineError
from machine.lifecycle import running
from machine.lifecycle.driver_record import open_driver
from machine.lifecycle.forward import state_file
from machine.own_command import own_command
from machine.session import Session
from machine.store import Store


def start(session: Session, name: str, address: str) -> None:
    """Start the forwards of a machine in a process of its own and wait until they are there.

    One that runs already is left alone. Raises MachineError, with what it said, if it does not come up.
    """
    store = session.store
    if pid := state_file.runner(store, name):
        session.console.done(f"the ports of {name} are forwarded already (process {pid})")
        return
    record = store.load(name)
    running.require_if_known(record, open_driver(session, record))
    written = state_file.path_of(store, name)
    try:
        pid = background_control.start(
            state_file.lock_path(store, name),
            state_file.purpose(name),
            [*own_command(), "--storage-path", store.root, "forward", "--address", address, name],
            log=os.path.join(store.directory(name), paths.FORWARDS_LOG),
            ready=lambda pid: state_file.is_written(written, pid),
            resolution=f"machine status {name}; then machine forward {name}, in the foreground, says more",
        )
    except MachineError as error:
        error.details = f"{error.brief}\n{error.details}".strip()
        error.brief, error.machine = f"the ports of {name} are not forwarded", name
        raise
    session.console.done(f"the ports of {name} are forwarded to {address} (process {pid})")


def stop(store: Store, name: str) -> bool:
    """End the forwards of a machine; return whether there were any. Raises MachineError if they do not end."""
    lock = state_file.lock_path(store, name)
    ended = background_control.end(lock, state_file.purpose(name))
    background_control.forget(lock, lambda: files.remove_quietly(state_file.path_of(store, name)))
    return ended


def rows(store: Store, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is forwarded of the machines: an object for each that has a process doing so."""
    return [
        {"machine": name, **state_file.read(state_file.path_of(store, name), pid)}
        for name in names
        if (pid := state_file.runner(store, name))
    ]
