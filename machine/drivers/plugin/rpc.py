"""Calls to a Go program over net/rpc (https://pkg.go.dev/net/rpc): HTTP CONNECT, then gob in both directions.

Each call is a Request and its argument; each answer a Response with the call's number and the result, in any order.
Calls may be made from several threads at once.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from typing import Any

from machine.dial import dial
from machine.drivers.plugin import gob
from machine.errors import DriverError, MachineError, reason_of

PATH = "/_goRPC_"  # net/rpc's DefaultRPCPath
CONNECT_SECONDS = 10.0
REQUEST = gob.Struct("Request", (("ServiceMethod", gob.STRING), ("Seq", gob.UINT)))
NOTHING = gob.Struct("")  # struct{}: the argument of most calls

_HEAD_LIMIT = 4096
LONGEST_ERROR = 64 << 10  # letters of an error's text; a stack trace is part of some


class Lost(DriverError):
    """The connection is gone, most likely with the program at its other end."""


class PluginRefused(DriverError):
    """The program answered with an error; `brief` is its text."""


class Call:
    """A call under way."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._result: Any = None
        self._error: MachineError | None = None

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the answer is there, after `seconds` at most."""
        return self._ended.wait(seconds)

    def result(self) -> Any:
        """The answer, once `wait` has said that it is there. Refused or Lost instead of one."""
        if self._error is not None:
            raise type(self._error)(self._error.brief)
        return self._result

    def end(self, result: Any = None, error: MachineError | None = None) -> None:
        """The answer has come."""
        self._result, self._error = result, error
        self._ended.set()


class Connection:
    """One connection, until `close`."""

    def __init__(self, host: str, port: int) -> None:
        """Connect and ask for net/rpc. Raises Lost if nothing there speaks it."""
        try:
            self._socket = dial(host, port, CONNECT_SECONDS)
        except OSError as error:
            raise Lost(
                f"says that it listens at {host} port {port}, where nothing answers: {reason_of(error)}"
            ) from None
        self._decoder, self._encoder = gob.Decoder(), gob.Encoder()
        self._sending, self._numbers = threading.Lock(), itertools.count()
        self._calls: dict[int, Call] = {}
        self.lost = ""  # why no more answers will come
        try:
            self._socket.sendall(f"CONNECT {PATH} HTTP/1.0\n\n".encode())
            self._decoder.feed(self._head())
            self._socket.settimeout(None)
        except TimeoutError:
            self._socket.close()
            raise Lost(f"does not answer within {CONNECT_SECONDS:g} s") from None
        except OSError as error:
            self._socket.close()
            raise Lost(f"closes the connection: {error.strerror or error}") from None
        except Lost:
            self._socket.close()
            raise
        threading.Thread(target=self._listen, daemon=True, name=f"answers of port {port}").start()

    def start(self, method: str, kind: gob.Type = NOTHING, argument: Any = None) -> Call:
        """Send a call of `Service.Method` and return. `argument` is a value of `kind`, None for {}."""
        call = Call()
        with self._sending:
            number = next(self._numbers)
            request = {"ServiceMethod": method, "Seq": number}
            value = {} if argument is None else argument
            try:
                encoded = self._encoder.encode(REQUEST, request) + self._encoder.encode(kind, value)
            except gob.GobError as error:  # the request's type is known to the other side since the first call
                call.end(error=PluginRefused(str(error)))
                return call
            self._calls[number] = call
            if self.lost:
                self._fail(self.lost)
                return call
            try:
                self._socket.sendall(encoded)
            except OSError as error:
                self._fail(str(error))
        return call

    def close(self) -> None:
        """Hang up; calls under way end with Lost."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _head(self) -> bytes:
        """What follows the answer to CONNECT, which ends with an empty line."""
        found = b""
        while b"\n\n" not in found and b"\r\n\r\n" not in found:
            piece = self._socket.recv(_HEAD_LIMIT)
            found += piece
            if not piece and not found:
                raise Lost("closes the connection without an answer")
            if not piece or len(found) > _HEAD_LIMIT:
                raise Lost("does not speak Go's net/rpc, as plugins do")
        status, _, _ = found.partition(b"\n")
        if b" 200 " not in status + b" ":
            said = "".join(char for char in status[:100].decode("ascii", "replace") if char.isprintable())
            raise Lost(f"refuses Go's net/rpc, as plugins speak it: {said}")
        end = b"\r\n\r\n" if b"\r\n\r\n" in found else b"\n\n"
        return found.partition(end)[2]

    def _listen(self) -> None:
        """Hand out the answers until the connection ends."""
        response: dict[str, Any] | None = None
        try:
            while True:
                for value in self._decoder.values():
                    if response is None:
                        response = value
                    else:
                        self._answer(response, value)
                        response = None
                piece = self._socket.recv(65536)
                if not piece:
                    self._fail("it has ended")
                    return
                self._decoder.feed(piece)
        except Exception as error:  # whatever the other side sent, nobody shall wait for ever
            self._fail(str(error) or type(error).__name__)

    def _answer(self, response: dict[str, Any], value: Any) -> None:
        call = self._calls.pop(response["Seq"], None)
        if call is None:
            return
        error = str(response["Error"] or "")[:LONGEST_ERROR]
        call.end(value, PluginRefused(error) if error else None)

    def _fail(self, why: str) -> None:
        """End every call that waits: no more answers will come."""
        self.lost = self.lost or why
        for number in list(self._calls):
            call = self._calls.pop(number, None)  # another thread may be at the same
            if call is not None:
                call.end(error=Lost(f"the connection to the plugin is lost: {self.lost}"))
