"""The words for what the system or another exception says, as they stand in messages."""

from __future__ import annotations

import socket

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
    ],
)
def test_a_reason_has_no_number_and_is_never_empty(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
