"""The process that serves a machine's unix socket in the background: started, found by its lock, ended."""

from __future__ import annotations

import contextlib
import os
import socket
import stat

from machine import background_control, own_command, paths, socket_path
from machine.session import Session

LOG = "socket.log"  # in the machine's directory


def lock_path(root: str, name: str) -> str:
    """Return the file by which the process that serves the socket of machine `name` is found (machine.background)."""
    return paths.lock(root, f"socket-{name}")


def purpose(name: str) -> str:
    """Return what that process is there for, as its file and errors say."""
    return f"serve the socket of {name}"


def start(session: Session, name: str) -> str:
    """Have a process serve the socket of machine `name`, unless one does, and return the socket's path.

    Raises MachineError with what the process said if it does not come to answer.
    """
    path = socket_path.socket_path(session.store.root, name, session.environ)
    log = paths.machine(session.store.root, name, LOG)
    background_control.start(
        lock_path(session.store.root, name),
        purpose(name),
        [*own_command.own_command(), "--storage-path", session.store.root, "socket", name],
        log=log,
        ready=lambda pid: bool(pid) and answers(path),
        env=dict(session.environ),
        resolution=f"run it in the foreground, which says more: machine socket {name}",
    )
    return path


def stop(session: Session, name: str) -> bool:
    """End the process that serves the socket of machine `name`; False if none does. A socket left over is removed.

    Raises MachineError if it is another user's, or does not end.
    """
    path = socket_path.socket_path(session.store.root, name, session.environ)
    lock = lock_path(session.store.root, name)
    ended = background_control.end(lock, purpose(name))
    background_control.forget(lock, lambda: _remove_dead(path))
    return ended


def _remove_dead(path: str) -> None:
    """Remove a socket at which nobody listens."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.lstat(path).st_mode) and not answers(path):
            os.unlink(path)


def answers(path: str) -> bool:
    """Return whether a process listens at the unix socket `path`."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
