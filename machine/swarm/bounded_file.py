"""Files that flags and URLs name: plain ones, and pipes such as the shell's <(command), which nobody waits for long.

Opening a pipe that nobody writes to would stop this process for ever, and no signal would end it.
"""

from __future__ import annotations

import os
import select
import stat
import time

from machine.swarm import limits

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# Device and inode of a pipe -> what holds its content, to be read again.
_pipe_contents: dict[tuple[int, int], str] = {}


def read(path: str, largest: int = limits.FILE, seconds: float = limits.FILE_SECONDS) -> bytes:
    """The whole content.

    Raises OSError, TimeoutError among them, for one that is too large or does not come to its end.
    """
    descriptor = os.open(path, _READ)
    try:
        waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        end = time.monotonic() + seconds
        pieces, remaining = [], largest + 1
        while remaining > 0:
            if waits and not _ready(descriptor, end - time.monotonic()):
                raise TimeoutError(0, f"it is no plain file, and was not written to its end within {seconds:g} s", path)
            if not (piece := os.read(descriptor, min(remaining, limits.MIB))):
                break
            pieces.append(piece)
            remaining -= len(piece)
    finally:
        os.close(descriptor)
    if remaining <= 0:
        raise OSError(0, f"it has more than {largest} bytes", path)
    return b"".join(pieces)


def rereadable_path(path: str) -> str:
    """`path`, or for a pipe, which can be read only once, that of a copy in memory. Raises OSError, as `read`."""
    if not is_pipe(path) or not hasattr(os, "memfd_create"):
        return path
    status = os.stat(path)
    key = (status.st_dev, status.st_ino)
    if key not in _pipe_contents:
        content = read(path)
        copy = os.memfd_create("pipe")  # open as long as this process is
        with open(copy, "wb", closefd=False) as file:
            file.write(content)
        _pipe_contents[key] = f"/proc/self/fd/{copy}"
    return _pipe_contents[key]


def is_pipe(path: str) -> bool:
    """Whether there is a pipe at `path`."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def reason(error: OSError) -> str:
    """Why a file cannot be used, for a message that names it: without the number of the error."""
    return error.strerror or str(error)


def _ready(descriptor: int, seconds: float) -> bool:
    if not hasattr(select, "poll"):  # Windows, where only sockets can be waited for
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
