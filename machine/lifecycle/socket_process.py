"""The process that serves a machine's unix socket in the background: started, found by its lock, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat

from machine import own_command, paths, process, socket_path
from machine.errors import MachineError, WaitTimeout
from machine.session import Session
from machine.wait import NotYet, until

START_SECONDS = 60.0  # for the process to answer; a busy computer takes its time to start Python
END_SECONDS = 10.0  # for the process to end after SIGTERM
LOG = "socket.log"  # in the machine's directory


def lock_name(name: str) -> str:
    """Return the name of the lock that the process holds while it serves the socket of machine `name`."""
    return f"socket-{name}"


def start(session: Session, name: str) -> str:
    """Have a process serve the socket of machine `name`, unless one does, and return the socket's path.

    Raises MachineError with what the process said if it does not come to answer.
    """
    path = socket_path.socket_path(session.store.root, name, session.environ)
    if session.store.holder(lock_name(name)) and answers(path):
        return path
    log = paths.machine(session.store.root, name, LOG)
    argv = [*own_command.own_command(), "--storage-path", session.store.root, "socket", name]
    child = process.spawn(argv, log, dict(session.environ))

    def ready() -> None:
        if child.poll() is not None and not session.store.holder(lock_name(name)):
            with open(log, encoding="utf-8", errors="replace") as file:
                said = file.read(4000).strip()
            raise MachineError(
                f"the process for the socket of {name} has ended", details=said, resolution=f"machine socket {name}"
            )
        if not answers(path):
            raise NotYet

    until(
        ready,
        what=f"the socket of {name}",
        seconds=START_SECONDS,
        clock=session.clock,
        every=0.05,
        longest=0.5,
        resolution=f"look into {log}, or run it in the foreground: machine socket {name}",
    )
    return path


def stop(session: Session, name: str) -> bool:
    """End the process that serves the socket of machine `name`; False if none does. A socket left over is removed.

    Raises MachineError if it is another user's, WaitTimeout if it does not end.
    """
    path = socket_path.socket_path(session.store.root, name, session.environ)
    if not os.path.lexists(path) and not os.path.exists(paths.lock(session.store.root, lock_name(name))):
        return False
    ended = False
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        pid = session.store.holder(lock_name(name))
        if not pid.isdigit() or int(pid) < 2:  # it did not sign, or not with its id
            break
        try:
            os.kill(int(pid), number)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise MachineError(
                f"process {pid}, which serves the socket of {name}, belongs to another user",
                resolution=f"sudo kill {pid}",
            ) from error
        ended = True
        with contextlib.suppress(WaitTimeout):
            _wait_for_end(session, name)
    if session.store.holder(lock_name(name)):
        _wait_for_end(session, name)
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.lstat(path).st_mode) and not answers(path):
            os.unlink(path)
    with session.store.lock(lock_name(name), seconds=END_SECONDS, what=f"remove the socket of {name}"):
        session.store.drop_lock(lock_name(name))
    return ended


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


def _wait_for_end(session: Session, name: str) -> None:
    def ended() -> None:
        if session.store.holder(lock_name(name)):
            raise NotYet

    until(
        ended,
        what=f"the process for the socket of {name} to end",
        seconds=END_SECONDS,
        clock=session.clock,
        every=0.02,
        longest=0.2,
    )
