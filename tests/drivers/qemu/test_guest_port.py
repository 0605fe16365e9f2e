"""The host's end of a machine's serial port: what a machine says there may be anything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from machine.drivers.qemu import guest_port
from machine.drivers.qemu.guest_port import GuestPort
from machine.errors import DriverError

Serve = Callable[[bytes], str]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server that says something to the one who connects, and goes on listening; the path of its socket."""
    held: list[socket.socket] = []

    def begin(text: bytes) -> str:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / "guest"))
        server.listen()
        held.append(server)

        def answer() -> None:
            connection, _ = server.accept()
            held.append(connection)
            with suppress(OSError):
                connection.sendall(text)
            if text.endswith(b"END"):
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        return str(tmp_path / "guest")

    yield begin
    for one in held:
        one.close()


def test_the_message_that_is_waited_for(serve: Serve) -> None:
    said = b'{"open": []}\nno json\n[1]\n{"template": "ready"}\n{"identity": "taken"}\n'
    with GuestPort(serve(said), "dev") as port:
        assert port.wait("identity", 5) == {"identity": "taken"}


def test_silence(serve: Serve) -> None:
    began = time.monotonic()
    with GuestPort(serve(b'{"open": []}\n'), "dev") as port, pytest.raises(DriverError, match="dev said nothing"):
        port.wait("template", 0.3)
    assert time.monotonic() - began < 5


def test_a_guest_that_never_stops_talking(serve: Serve) -> None:
    said = b'{"open": []}\n' * 2_000_000
    with GuestPort(serve(said), "dev") as port, pytest.raises(DriverError, match="dev did not say what it should"):
        port.wait("template", 0.3)


def test_an_end(serve: Serve) -> None:
    with GuestPort(serve(b"END"), "dev") as port, pytest.raises(DriverError, match="the qemu of dev ended"):
        port.wait("template", 5)


def test_a_line_without_an_end(serve: Serve) -> None:
    said = b"x" * (guest_port.LONGEST * 3)
    with GuestPort(serve(said), "dev") as port, pytest.raises(DriverError, match="a line without an end"):
        port.wait("template", 5)


def test_a_deep_one(serve: Serve) -> None:
    said = b"[" * 50_000 + b'\n{"template": "ready"}\n'
    with GuestPort(serve(said), "dev") as port:
        assert port.wait("template", 5) == {"template": "ready"}


def test_nobody(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="the qemu of dev does not answer"):
        GuestPort(str(tmp_path / "none"), "dev")
