"""Connections to a qemu that was started a moment ago."""

from __future__ import annotations

import time

from machine.drivers.qemu.qmp import Client, QmpError

START_SECONDS = 60.0


def connected(path: str) -> Client:
    """Return a client of the qemu at the socket `path`, as soon as that listens: its file is there before it does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return Client(path, timeout=START_SECONDS)
        except QmpError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
