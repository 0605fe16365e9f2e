"""What some code does to the world outside of its process: programs started, files changed, socket messages sent.

Python tells of the first two itself, by its audit events (https://docs.python.org/3/library/audit_events.html).
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = {  # events that change a file
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("os.chown", "os.utime", "os.setxattr"),
}
SIGNALLING = {"os.kill", "os.killpg"}
STARTING = {"os.posix_spawn", "os.spawn", "os.exec", "os.system", "os.fork", "os.forkpty"}


@dataclass
class Effects:
    """What was recorded, in its order."""

    programs: list[str] = field(default_factory=list)  # with their arguments
    files: list[str] = field(default_factory=list)  # event and what it was about; processes that get a signal, too
    sent: list[bytes] = field(default_factory=list)  # on sockets


_recording: list[Effects] = []  # the hook cannot be removed, so it looks here


@functools.cache
def _install() -> None:
    """Install the hook, once."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _recording:
        return
    effects = _recording[-1]
    if event == "subprocess.Popen":
        effects.programs.append(" ".join(map(os.fsdecode, arguments[1])))
    elif event in STARTING:
        effects.programs.append(f"{event} {arguments!r}")
    elif _changes(event, arguments):
        effects.files.append(f"{event} {arguments!r}")


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an event changes a file, opens one to change it, or sends a signal.

    A number in place of a path is a file that is open already, such as a pipe: it was seen when it was opened.
    """
    if event in SIGNALLING:
        return bool(arguments[1] != 0)  # 0 is no signal, but a question
    if event == "open":
        path, _, flags = arguments
        return not isinstance(path, int) and path != os.devnull and bool((flags or 0) & WRITING)
    return event in CHANGING and not isinstance(arguments[0], int)


@contextmanager
def effects() -> Iterator[Effects]:
    """Inside, every thread of this process is recorded."""
    _install()
    found = Effects()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("send", "sendall", "sendto"):
            patch.setattr(socket.socket, name, _recorded(getattr(socket.socket, name), found))
        _recording.append(found)
        try:
            yield found
        finally:
            _recording.remove(found)


def _recorded(method: Any, found: Effects) -> Any:
    def call(one: socket.socket, data: Any, *more: Any) -> Any:
        found.sent.append(bytes(data))
        return method(one, data, *more)

    return call
