"""The lock file of a machine's forwarder, by which every command sees whether that process still runs.

A driver writes the file when it starts a forwarder; the forwarder holds a lock on it as long as it runs, and removes it
when its work is done. So a file that nobody locks means that the forwarder was ended. The file's text is its pid.
Used by every command: needs `os` and `time` only, and `fcntl` where there is such a file.
"""

from __future__ import annotations

import os
import time

from machine import files, paths

FILE = paths.FORWARDER_LOCK
START_SECONDS = 30.0  # for a forwarder to hold the lock, on a loaded computer
_TRIES, _PAUSE = 20, 0.05  # of a forwarder to take the lock; seconds between two tries


def expect(path: str) -> None:
    """Write down that a forwarder should run from now on; a file that is there already stays."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, files.PRIVATE))


def missing(path: str) -> bool:
    """Whether a forwarder should run and does not. One that was just started has START_SECONDS to take the lock."""
    descriptor = _open(path)
    if descriptor < 0:
        return False
    try:
        status = os.fstat(descriptor)
        starting = not status.st_size and time.time() - status.st_mtime < START_SECONDS
        return not starting and _lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def holder(path: str) -> int:
    """The pid of the process that holds the lock now, 0 when none does, or none that has written its pid."""
    descriptor = _open(path)
    if descriptor < 0:
        return 0
    try:
        text = os.read(descriptor, 20).strip()
        return int(text) if text.isdigit() and not _lock(descriptor, shared=True) else 0
    finally:
        os.close(descriptor)


def hold(path: str) -> int | None:
    """Take the lock: a descriptor to be kept open. None when another forwarder has it, or none is expected."""
    descriptor = _open(path)
    if descriptor < 0:
        return None
    for _ in range(_TRIES):
        if _lock(descriptor):
            break
        time.sleep(_PAUSE)  # somebody may only be looking
    else:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def release(descriptor: int, path: str) -> None:
    """Remove the file, unless it is another forwarder's by now, and give the lock back: the work is done."""
    try:
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            os.unlink(path)
    except OSError:
        pass
    os.close(descriptor)


def _open(path: str) -> int:
    """A descriptor, -1 when there is no such file."""
    try:
        return os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return -1


def _lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock without waiting; whether that went. It is given back with the descriptor.

    `shared`, for looking: who looks at the same time is not taken for the forwarder, whose pid may be another's by now.
    """
    try:
        import fcntl
    except ImportError:  # Windows: no driver there has forwarders
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
