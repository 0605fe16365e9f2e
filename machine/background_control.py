"""Starting and ending processes in the background, which machine.background finds.

Whatever is killed on the way, starting again finds what runs, and ending ends it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from machine import background, files, lock, process
from machine.errors import MachineError
from machine.wait import NotYet, SystemClock, until

START_SECONDS = 60.0  # for a process to do its work; a busy computer takes its time to start Python
END_SECONDS = 10.0  # after SIGTERM, and once more after SIGKILL
LONGEST_OUTPUT = 4000  # bytes of what a process that has ended has said
_LOOK_EVERY = 0.05
_SIGN_SECONDS = 1.0  # for a process that has its lock to write who it is


def start(
    path: str,
    what: str,
    argv: Sequence[str],
    *,
    log: str,
    ready: Callable[[int], bool] = bool,
    seconds: float = START_SECONDS,
    env: Mapping[str, str] | None = None,
    cwd: str = "/",
    resolution: str = "",
) -> int:
    """Have a process hold the lock `path`, unless one does, and return its number once it is `ready`.

    `argv` starts one, which prints to the file `log`. `ready` is given the number of the process that holds the lock
    (0: none does), which may be one that another command has started meanwhile. Raises MachineError, with what the
    process said, if it ends before that; WaitTimeout after `seconds`: it is ended then, too.
    """
    if ready(pid := background.running(path)):
        return pid
    child = process.spawn(argv, log, env, cwd)

    def attempt() -> int:
        pid = background.running(path)
        if ready(pid):
            return pid
        if child.poll() is not None and not _is_locked(path) and not ready(0):
            raise MachineError(f"the process to {what} has ended", details=_said(log), resolution=resolution)
        raise NotYet

    try:
        pid = until(
            attempt,
            what=f"the process to {what}",
            seconds=seconds,
            clock=SystemClock(),
            every=0.05,
            longest=0.2,
            diagnose=lambda: _said(log),
            resolution=resolution,
        )
    except BaseException:
        child.kill()
        child.wait()
        raise
    child.returncode = child.poll() or 0  # it outlives this command: nobody waits for it
    return pid


def end(path: str, what: str, *, seconds: float = END_SECONDS, unwanted: bool = False) -> bool:
    """End the process that holds the lock `path`; return whether one did.

    It has `seconds` after SIGTERM, then it is killed. `unwanted`: its file is removed first, so that nobody starts it
    again. Raises MachineError if it is another user's, or does not end.
    """
    descriptor = background.open_file(path)
    if descriptor < 0:
        return False
    try:
        if unwanted:
            files.remove_quietly(path)
        return _end(descriptor, what, seconds)
    finally:
        os.close(descriptor)


def forget(path: str, clean: Callable[[], None] = lambda: None) -> None:
    """Remove the file of a process that has ended without doing so; `clean` removes what else it has left.

    Nothing is removed if a process holds the file, and none begins meanwhile: another command may start the next one.
    """
    descriptor = background.open_file(path)
    if descriptor < 0:
        clean()
        return
    try:
        if lock.take(descriptor) and lock.is_open_file(descriptor, path):
            clean()
            lock.drop(path)
    except OSError:
        return  # the file system knows no locks
    finally:
        os.close(descriptor)


def _end(descriptor: int, what: str, seconds: float) -> bool:
    ended = False
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        pid = background.holder(descriptor)
        if pid:
            ended = True
            _send(descriptor, pid, number, what)
        if _comes_free(descriptor, seconds if pid else _SIGN_SECONDS):
            return ended
    pid = background.holder(descriptor)
    if pid:
        raise MachineError(f"process {pid}, which is there to {what}, does not end", resolution=f"kill -9 {pid}")
    raise MachineError(
        f"the process that is there to {what} cannot be seen from here: it runs on another computer or in a container",
        resolution="run this command where that process was started",
    )


def _comes_free(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while background.is_held(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _send(descriptor: int, pid: int, number: int, what: str) -> None:
    """Send a signal to the process that has the lock; one that has ended is success.

    Where the system has handles of processes (pidfd_open(2)), the number cannot become another one's meanwhile.
    """
    handle = -1
    try:
        handle = _handle(pid)
        if background.holder(descriptor) != pid:
            return
        if sys.platform == "linux" and handle >= 0:
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:
        raise MachineError(
            f"process {pid}, which is there to {what}, belongs to another user", resolution=f"sudo kill {pid}"
        ) from None
    finally:
        if handle >= 0:
            os.close(handle)


def _handle(pid: int) -> int:
    """Return a handle of a process, -1 where the system has none to give. Raises ProcessLookupError if it has ended."""
    if sys.platform != "linux":
        return -1
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # Linux before 5.3, or a container that may not
        return -1


def _is_locked(path: str) -> bool:
    descriptor = background.open_file(path)
    if descriptor < 0:
        return False
    try:
        return background.is_held(descriptor)
    finally:
        os.close(descriptor)


def _said(log: str) -> str:
    """Return the end of what a process has printed."""
    try:
        return files.read_plain(log)[-LONGEST_OUTPUT:].decode("utf-8", "replace").strip()
    except OSError:
        return ""
