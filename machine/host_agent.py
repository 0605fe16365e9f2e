"""The helper of a machine: a process that runs beside it, and the file by which everybody sees whether it lives.

A driver writes the file when it starts one; the helper holds a lock on it as long as it lives, and removes it when its
work is done. So a file without a holder means that the helper was ended, in whatever way. The file's text is its pid.
Asked by every command: needs `os` and `time` only, and `fcntl` where there is such a file.
"""

from __future__ import annotations

import os
import time

from machine import files, paths

FILE = paths.FORWARDER
START_SECONDS = 30.0  # for a helper to be there, on a loaded computer
_TRIES, _PAUSE = 20, 0.05  # of a helper, to be the one; seconds between two tries


def expect(path: str) -> None:
    """Write down that a helper should be there from now on; a file that is there already stays."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, files.PRIVATE))


def missing(path: str) -> bool:
    """Whether a helper should be there and is not. One that was just asked for has some time to come."""
    descriptor = _open(path)
    if descriptor < 0:
        return False
    try:
        status = os.fstat(descriptor)
        starting = not status.st_size and time.time() - status.st_mtime < START_SECONDS
        return not starting and _lock(descriptor)
    finally:
        os.close(descriptor)


def hold(path: str) -> int | None:
    """Be the helper: a descriptor to be kept open. None when there is one already, or none is expected."""
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
    """The helper's work is done. Its file goes, unless that is about another one by now."""
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


def _lock(descriptor: int) -> bool:
    """Take the lock without waiting; whether that went. It is given back with the descriptor."""
    try:
        import fcntl
    except ImportError:  # Windows: no driver there has helpers
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
