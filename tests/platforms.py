"""Marks for tests that need what Linux alone has; elsewhere (macOS) they skip and say what they miss."""

from __future__ import annotations

import os
import socket

import pytest


def _has_loopback_addresses() -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.84.0.1", 0))
        except OSError:
            return False
    return True


loopback_addresses = pytest.mark.skipif(
    not _has_loopback_addresses(), reason="needs addresses beside 127.0.0.1 on loopback, which Linux alone has unasked"
)
proc = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="reads /proc, which Linux alone has")
