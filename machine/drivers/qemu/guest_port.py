"""The host's end of a machine's virtio serial port `machine.ports`, while the template agent is at the other one.

What comes from there is a machine's word: lines of JSON, bounded in length and time.
"""

from __future__ import annotations

import json
import socket
import time
from types import TracebackType
from typing import Any, Self

from machine.errors import DriverError, reason_of

LONGEST = 1 << 16  # bytes of a line


class GuestPort:
    """One connection; qemu serves one at a time."""

    def __init__(self, path: str, name: str) -> None:
        """Connect to the socket `path`, of the machine `name`. Raises DriverError if nobody answers there."""
        self._name = name
        self._arrived = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(5.0)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise DriverError(f"the qemu of {name} does not answer", details=reason_of(error)) from error

    def say(self, message: dict[str, Any]) -> None:
        """Write one line. Raises DriverError if qemu is gone."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise DriverError(f"the qemu of {self._name} went away", details=reason_of(error)) from error

    def wait(self, key: str, seconds: float) -> dict[str, Any]:
        """Return the first message that has `key`. Raises DriverError if none comes within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            if time.monotonic() > deadline:
                raise DriverError(f"{self._name} did not say what it should within {seconds:g} s")
            line, newline, rest = self._arrived.partition(b"\n")
            if newline:
                self._arrived = rest
                message = _parse(line)
                if key in message:
                    return message
                continue
            if len(self._arrived) > LONGEST:
                raise DriverError(f"{self._name} wrote a line without an end to its serial port")
            self._arrived += self._receive(deadline, seconds)

    def _receive(self, deadline: float, seconds: float) -> bytes:
        left = deadline - time.monotonic()
        self._socket.settimeout(max(left, 0.001))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise DriverError(f"{self._name} said nothing within {seconds:g} s") from None
        except OSError as error:
            raise DriverError(f"the qemu of {self._name} went away", details=reason_of(error)) from error
        if not data:
            raise DriverError(f"the qemu of {self._name} ended")
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def _parse(line: bytes) -> dict[str, Any]:
    """Return a message, {} for a line that is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
