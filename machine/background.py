"""Leaving the caller: how a process of ours goes on when the command that started it has ended."""

from __future__ import annotations

import os


def to_background() -> None:
    """Leave the caller: a session of its own, no terminal, nothing open (os.fork twice)."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
