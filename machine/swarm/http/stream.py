"""Bytes both ways over TCP, a unix socket or TLS, with back-pressure and half-close. No HTTP here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

from machine.swarm.http.tls import Tls
from machine.swarm.pipeline import Hijack

HIGH_WATER = 256 * 1024  # bytes read and not yet taken before we stop reading from the socket
PIECE = 128 * 1024  # bytes written between two looks at whether the other side keeps up
KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}  # seconds, seconds, probes
LINGER = 10.0  # seconds that a closed connection may take to send what was written


class Stream(asyncio.Protocol, Hijack):
    """One connection. With `tls` call `handshake` before anything else."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        server_side: bool = False,
        server_name: str | None = None,
        on_open: Callable[[Stream], None] | None = None,
    ) -> None:
        self._on_open = on_open
        self.heard = False  # whether anything has come from the other side
        self._buffer = bytearray()
        self._ended = False  # the other side has ended its half
        self._closing = False
        self._reading = True
        self._writable = True
        self._broken: Exception | None = None
        self._readers: list[asyncio.Future[None]] = []
        self._writers: list[asyncio.Future[None]] = []
        self._watchers: list[Callable[[], object]] = []
        self._tls = Tls(tls, server_side=server_side, server_name=server_name) if tls else None

    # what the user of a connection calls

    async def handshake(self) -> None:
        """Agree on TLS. Raises ssl.SSLError if we do not, ConnectionError if the other side went away."""
        if self._tls is None:
            return
        self._tls.handshake()
        self._flush()
        while not self._tls.handshake_done:
            await self._wait(self._readers)
            self._raise_if_broken()
            if self._ended:
                raise ConnectionResetError("the connection was closed during the TLS handshake")

    async def read(self, limit: int = 65536) -> bytes:
        """Return up to `limit` bytes as soon as there are any; b"" at the other side's end.

        Raises ConnectionError if the connection is gone.
        """
        while not self._buffer:
            self._raise_if_broken()
            if self._ended:
                return b""
            await self._wait(self._readers)
        if len(self._buffer) <= limit:
            data = bytes(self._buffer)
            self._buffer.clear()
        else:
            data = bytes(self._buffer[:limit])
            del self._buffer[:limit]
        self._go_on_reading()
        return data

    async def write(self, data: bytes | memoryview) -> None:
        """Send `data` in pieces, waiting while the other side is slow. Raises ConnectionError if it is gone."""
        if len(data) <= PIECE:
            if not self.write_now(data):
                await self.drain()
            return
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self._send(view[start : start + PIECE])
            await self.drain()

    def write_now(self, data: bytes | memoryview) -> bool:
        """Write without waiting; return whether the other side keeps up. If it does not: `drain`, then go on."""
        self._send(data)
        return self._writable

    async def drain(self) -> None:
        """Wait until the other side keeps up with what was written. Raises OSError if the connection is gone."""
        while not self._writable:
            await self._wait(self._writers)
            self._raise_if_broken()

    async def end(self) -> None:
        """End our half of the connection; the other side may go on sending."""
        await self.drain()
        if self._closing or self._broken:
            return
        if self._tls is not None:
            self._tls.close_notify()
            self._flush()
        elif self.transport.can_write_eof():
            with contextlib.suppress(OSError):
                self.transport.write_eof()

    def close(self) -> None:
        """End both halves once what was written is out."""
        if self._closing:
            return
        self._closing = True
        if self._tls is not None and self._tls.handshake_done and self._broken is None:
            self._tls.close_notify()
            self._flush()
        self.transport.close()
        if self.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER, self.transport.abort)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._closing = True
        self.transport.abort()

    def unread(self, data: bytes) -> None:
        """Put back what was read too far."""
        self._buffer[:0] = data

    @property
    def over(self) -> bool:
        """Whether the other side has ended or dropped the connection, as far as we know."""
        return self._ended or self._closing or self._broken is not None

    @property
    def idle(self) -> bool:
        """Alive with nothing unread: a connection that can carry the next request."""
        return not self.over and not self._buffer

    def when_over(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call `call` once when the other side ends or drops the connection; the answer takes that back."""
        if self.over:
            call()
        self._watchers.append(call)

        def forget() -> None:
            if call in self._watchers:
                self._watchers.remove(call)

        return forget

    def peer_name(self) -> str:
        """The name in the other side's certificate (its common name), else its address; "" for a unix socket."""
        name = self._tls.common_name() if self._tls is not None else ""
        return name or self.peer_address()

    def peer_address(self) -> str:
        """The other side's IP address; "" for a unix socket."""
        address = self.transport.get_extra_info("peername")
        return str(address[0]) if isinstance(address, tuple) and address else ""

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection is there."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != getattr(socket, "AF_UNIX", None):
            _keep_alive(sock)
        if self._on_open is not None:
            self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Bytes off the wire."""
        self.heard = True
        if self._tls is None:
            self._buffer += data
        elif self._broken is None:
            try:
                self._buffer += self._tls.receive(data)
            except ssl.SSLError as error:
                self._broken = error
            self._flush()
            if self._tls.ended or self._broken:
                self._end()
        if len(self._buffer) > HIGH_WATER and self._reading:
            self._reading = False
            self.transport.pause_reading()
        self._wake(self._readers)

    def eof_received(self) -> bool:
        """The other side has ended its half; ours stays open."""
        self._end()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone in both directions."""
        if error is not None and self._broken is None:
            self._broken = error if isinstance(error, OSError) else ConnectionResetError(str(error))
        self._closing = True
        self._writable = True
        self._wake(self._writers)
        self._end()

    def pause_writing(self) -> None:
        """The other side does not keep up."""
        self._writable = False

    def resume_writing(self) -> None:
        """The other side has caught up."""
        self._writable = True
        self._wake(self._writers)

    # inside

    def _send(self, data: bytes | memoryview) -> None:
        self._raise_if_broken()
        if self._closing:
            raise ConnectionResetError("the connection is closed")
        if self._tls is None:
            self.transport.write(data)
            return
        self._tls.send(data)
        self._flush()

    def _flush(self) -> None:
        data = self._tls.outgoing() if self._tls is not None else b""
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _end(self) -> None:
        self._ended = True
        self._wake(self._readers)
        watchers, self._watchers = self._watchers, []
        for call in watchers:
            call()

    def _go_on_reading(self) -> None:
        if not self._reading and len(self._buffer) <= HIGH_WATER // 2:
            self._reading = True
            self.transport.resume_reading()

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        future = asyncio.get_running_loop().create_future()
        waiters.append(future)
        try:
            await future
        finally:
            if future in waiters:
                waiters.remove(future)

    @staticmethod
    def _wake(waiters: list[asyncio.Future[None]]) -> None:
        for future in waiters:
            if not future.done():
                future.set_result(None)

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken


def _keep_alive(sock: socket.socket) -> None:
    """Have the system find out, within a minute, that the other host is gone, also while nothing is to be sent."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name):  # Linux has all of them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def pump(client: Hijack, engine: Hijack) -> None:
    """Carry bytes both ways until `engine`, the engine's side, has ended; then close both.

    `client` ending (the client's stdin) ends only that half.
    """

    async def forth() -> None:
        while True:
            try:
                data = await client.read()
            except OSError:  # it has not ended its half, it is gone: an engine that says nothing would never find out
                engine.close()
                return
            try:
                if not data:
                    await engine.end()
                    return
                await engine.write(data)
            except OSError:
                return

    there = asyncio.ensure_future(forth())
    try:
        while True:
            data = await engine.read()
            if not data:
                break
            await client.write(data)
    except OSError:
        pass  # one of them is gone: nothing is left to carry
    finally:
        there.cancel()
        client.close()
        engine.close()
        await asyncio.gather(there, return_exceptions=True)
