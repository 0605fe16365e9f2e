"""The words for what the system or another exception says, as they stand in messages."""

from __future__ import annotations

import os
import socket
import ssl

import pytest

from machine.errors import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/a/b"), "No such file or directory"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ConnectionError("closed"), "closed"),
        (ValueError("no number"), "no number"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9)"), os.strerror(111)),
        (OSError(98, "error while attempting to bind on address ('::1', 9): address already in use"), os.strerror(98)),
        (OSError("Multiple exceptions: [Errno 101] x, [Errno 111] y"), f"{os.strerror(101)}, {os.strerror(111)}"),
        (OSError(0, "it is not a plain file", "/a"), "it is not a plain file"),
        (ssl.SSLError(1, "[SSL] wrong"), "[SSL] wrong"),
    ],
)
def test_a_reason_has_no_number_and_is_never_empty(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
