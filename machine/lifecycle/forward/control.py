"""Starting `machine forward` in the background, ending it, and seeing what runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from machine import files, paths, process
from machine.errors import MachineError
from machine.lifecycle.forward import state_file
from machine.own_command import own_command
from machine.session import Session
from machine.store import Store

START_SECONDS = 60.0  # for the first connection and the first list
END_SECONDS = 10.0
LONGEST_OUTPUT = 2000  # bytes of what a process that failed has said


def start(session: Session, name: str, address: str) -> None:
    """Start the forwards of a machine in a process of its own and wait until they are there.

    One that runs already is left alone. Raises MachineError, with what it said, if it does not come up.
    """
    store = session.store
    if pid := state_file.runner(store, name):
        session.console.done(f"the ports of {name} are forwarded already (process {pid})")
        return
    files.remove_quietly(state_file.path_of(store, name))  # of a process that was killed
    log = os.path.join(store.directory(name), paths.FORWARDS_LOG)
    words = [*own_command(), "--storage-path", store.root, "forward", "--address", address, name]
    running = process.spawn(words, log)
    deadline = time.monotonic() + START_SECONDS
    while not os.path.exists(state_file.path_of(store, name)):
        if running.poll() is not None or time.monotonic() > deadline:
            if running.poll() is None:
                running.kill()
            running.wait()
            raise MachineError(
                f"the ports of {name} are not forwarded",
                details=files.read(log)[-LONGEST_OUTPUT:].decode("utf-8", "replace").strip(),
                resolution=f"machine status {name}; then machine forward {name}, in the foreground, says more",
                machine=name,
            )
        time.sleep(0.1)
    session.console.done(f"the ports of {name} are forwarded to {address} (process {running.pid})")


def stop(store: Store, name: str) -> bool:
    """End the forwards of a machine; return whether there were any. Raises MachineError if they do not end."""
    pid = state_file.runner(store, name)
    if not pid:
        files.remove_quietly(state_file.path_of(store, name))  # of a process that was killed
        return False
    deadline = time.monotonic() + END_SECONDS
    while state_file.runner(store, name) == pid:
        if time.monotonic() > deadline:
            raise MachineError(
                f"process {pid}, which forwards the ports of {name}, does not end", resolution=f"kill -9 {pid}"
            )
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            break
        except PermissionError:
            raise MachineError(
                f"process {pid}, which forwards the ports of {name}, belongs to another user",
                resolution="run this as the user who started it",
            ) from None
        time.sleep(0.1)
    files.remove_quietly(state_file.path_of(store, name))
    return True


def rows(store: Store, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is forwarded of the machines: an object for each that has a process doing so."""
    return [
        {"machine": name, "process": pid, **state_file.read(state_file.path_of(store, name))}
        for name in names
        if (pid := state_file.runner(store, name))
    ]
