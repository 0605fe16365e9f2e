"""What is said of a connection that failed: the system's own words, without numbers."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl

import pytest

from machine.swarm.http import os_errors
from tests.sshd import free_port


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), os.strerror(errno.ECONNREFUSED)),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0),"
                " [Errno 111] Connect call failed ('127.0.0.1', 1)"
            ),
            os.strerror(111),
        ),
        (OSError("Multiple exceptions: [Errno 113] x, [Errno 111] y"), f"{os.strerror(113)}, {os.strerror(111)}"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ConnectionResetError(), "the connection was closed"),
        (OSError(), "OSError"),
        (OSError("a \x1b[31mword"), "a \\x1b[31mword"),
        (ssl.SSLError(1, "[SSL] wrong (_ssl.c:1)"), "TLS failed: "),
        (ValueError("Port out of range"), "Port out of range"),
        (ValueError("illegal status line: b'[Errno 99999999999999999999]'"), "illegal status line"),
        (OSError("[Errno 99999999999999999999] x"), "[Errno 99999"),
    ],
)
def test_the_words_of_an_error(error: Exception, text: str) -> None:
    assert os_errors.describe(error).startswith(text)
    assert "Errno" not in os_errors.describe(error) or isinstance(error, ssl.SSLError) or "99999" in str(error)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_asyncio_raises_is_told_in_the_systems_words(host: str) -> None:
    with pytest.raises(OSError, match="Connect call failed") as caught:
        asyncio.run(asyncio.wait_for(asyncio.open_connection(host, free_port()), 10))
    assert os_errors.describe(caught.value) == os.strerror(errno.ECONNREFUSED)
