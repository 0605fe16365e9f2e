"""The end of a pipeline: one engine, asked over HTTP/1.1 (h11), on connections that are kept and used again."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

import h11

from machine.swarm import limits, loop_guard
from machine.swarm.api.response_kind import NO_TIME_LIMITS, body_of, time_limits_for
from machine.swarm.http import os_errors
from machine.swarm.http.address import Address, TlsConfig, dial
from machine.swarm.http.deadline import Block, Deadline
from machine.swarm.http.headers import forwardable_headers, headers_of
from machine.swarm.http.stream import PIECE, Stream
from machine.swarm.parsing.routes import Body
from machine.swarm.pipeline import ApiError, Headers, NotConnected, Reply, Request, Unreachable
from machine.swarm.printable import printable

MAX_IDLE = 8  # connections to one engine that are kept for the next request
_REPEATABLE = ("GET", "HEAD")
_CONTROL_CHARACTERS = re.compile(
    rb"[\x00-\x08\x0a-\x1f\x7f]"
)  # in a header: nothing that a terminal or a log should get
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")
_RAW_ROUTE = re.compile(r"/(containers/.+/attach|exec/[^/]+/start)\Z")  # hijacked even without Upgrade


class Client:
    """An engine as the end of a pipeline: `await client(request)`. Unreachable if there is no talking to it."""

    def __init__(
        self,
        address: Address,
        tls: TlsConfig | None = None,
        *,
        connect_timeout: float = 10.0,
        no_time_limit: bool = False,
    ) -> None:
        """Raises CertificateError if the files that `tls` names cannot be used.

        `no_time_limit` = no time limits, for another manager, which has its own.
        """
        self.address = address
        self.tls: ssl.SSLContext | None = tls.for_client() if tls else None
        self.connect_timeout = connect_timeout
        self.no_time_limit = no_time_limit
        self._idle: list[_PooledConnection] = []
        self._host = b"docker" if address.path else str(address)[len("tcp://") :].encode()

    async def __call__(self, request: Request) -> Reply:
        """Ask the engine. Raises ApiError(400) if it would find other arguments in the body than the target has."""
        _check_no_form(request)
        connection = None if request.upgrade else self._idle_connection()
        if connection is not None:
            try:
                return await self._ask(connection, request)
            except _GoneBeforeAnswer:
                if request.method not in _REPEATABLE or not isinstance(request.body, bytes):
                    raise
        return await self._ask(await self._connect(), request)

    async def close(self) -> None:
        """Drop the idle connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _idle_connection(self) -> _PooledConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.stream.idle:
                return connection
            connection.close()
        return None

    def _keep(self, connection: _PooledConnection) -> None:
        if connection.reusable() and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> _PooledConnection:
        try:
            return _PooledConnection(await dial(self.address, self.tls, timeout=self.connect_timeout))
        except TimeoutError as error:
            raise NotConnected(504, f"the engine at {self.address} does not answer: {error}") from error
        except OSError as error:
            raise NotConnected(
                502, f"cannot connect to the engine at {self.address}: {os_errors.describe(error)}"
            ) from error

    async def _ask(self, connection: _PooledConnection, request: Request) -> Reply:
        body = body_of(request)
        time_limits = NO_TIME_LIMITS if self.no_time_limit else time_limits_for(request.method, body)
        try:
            with connection.within(time_limits.head):
                reply = await connection.ask(request, self._head(request))
        except h11.ProtocolError as error:
            connection.abort()
            if connection.expired:
                raise Unreachable(504, self._silent(time_limits.head)) from error
            raise Unreachable(502, f"the engine at {self.address} does not speak HTTP: {_sanitize(error)}") from error
        except OSError as error:
            connection.abort()
            if connection.expired:
                raise Unreachable(504, self._silent(time_limits.head)) from error
            raise _GoneBeforeAnswer(
                502, f"the engine at {self.address} dropped the call: {os_errors.describe(error)}"
            ) from error
        except BaseException:
            connection.abort()
            raise
        if isinstance(reply.body, _StreamingBody):
            reply.body.finished = self._keep
            reply.body.silent = (
                limits.ENGINE_SILENT_SECONDS if not reply.ok and not self.no_time_limit else time_limits.silent
            )
            reply.body.most_pieces = limits.ENGINE_CHUNKS if body is Body.WHOLE else None
        elif isinstance(reply.body, bytes):
            self._keep(connection)
        return reply

    def _silent(self, seconds: float | None) -> str:
        return f"the engine at {self.address} did not answer within {seconds:g} s"

    def _head(self, request: Request) -> list[tuple[bytes, bytes]]:
        head = [(b"host", self._host), *forwardable_headers(request.headers), *loop_guard.header()]
        if request.upgrade:
            head += [(b"connection", b"Upgrade"), (b"upgrade", request.header(b"upgrade"))]
        if not isinstance(request.body, bytes):
            head.append((b"transfer-encoding", b"chunked"))
        elif request.body or request.method in ("POST", "PUT"):
            head.append((b"content-length", b"%d" % len(request.body)))
        return head


def _check_no_form(request: Request) -> None:
    """Raises ApiError(400) for a form: the engine would take arguments from it that nobody here has looked at."""
    kind = request.header(b"content-type").partition(b";")[0].strip().lower()
    if request.body != b"" and kind in _FORMS:
        raise ApiError(
            400,
            f"Content-Type {kind.decode()}: an engine would read arguments in the body instead of those in the URL;"
            " send JSON as application/json, an archive as application/x-tar",
        )


class _GoneBeforeAnswer(Unreachable):
    """The connection ended before a byte of the answer; one that was kept may have ended before the call."""


class _PooledConnection:
    """One connection to the engine with its HTTP state."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.ENGINE_HEAD)
        self.expired = False  # whether the engine was silent for longer than we wait
        self._deadline = Deadline(self._expire)
        self.pieces = 0  # of the body so far
        self._more_here = False  # whether pieces of the body have come in that nobody has taken yet

    def within(self, seconds: float | None) -> Block:
        """A block after which the connection is dropped if it takes longer; `expired` tells. None = no limit."""
        return self._deadline.within(seconds)

    def close(self) -> None:
        """Close the connection once what was written is out."""
        self._deadline.stop()
        self.stream.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._deadline.stop()
        self.stream.abort()

    def _expire(self) -> None:
        self.expired = True
        self.stream.abort()

    def reusable(self) -> bool:
        """Whether the last answer is over, with nothing behind it; the connection is ready for the next call then."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE or not self.stream.idle:
            return False
        if self.http.trailing_data[0]:  # bytes that nobody asked for would pass for the next answer
            return False
        self.http.start_next_cycle()
        self.pieces = 0
        return True

    async def ask(self, request: Request, head: Headers) -> Reply:
        raw = self.http.send(h11.Request(method=request.method, target=request.target, headers=list(head))) or b""
        sender: asyncio.Future[None] | None = None
        if isinstance(request.body, bytes):
            if request.body:
                raw += self.http.send(h11.Data(data=request.body)) or b""
            await self.stream.write(raw + (self.http.send(h11.EndOfMessage()) or b""))
        else:
            await self.stream.write(raw)
            sender = asyncio.ensure_future(self._send(request.body))
        try:
            response = await self._response(sender)
        except BaseException:
            if sender is not None:
                sender.cancel()
            raise
        headers = headers_of(response)
        if _CONTROL_CHARACTERS.search(b"".join([value for _, value in headers])):
            headers = tuple((name, value) for name, value in headers if not _CONTROL_CHARACTERS.search(value))
        if response.status_code > 599:
            raise h11.RemoteProtocolError(f"there is no status {response.status_code}")
        if response.status_code == 101 and not request.upgrade:
            raise h11.RemoteProtocolError("it changes the protocol without being asked to")
        if response.status_code == 101 or self._raw(request, response):
            self.stream.unread(self.http.trailing_data[0])
            return Reply(response.status_code, headers, self.stream)
        first, done = self._ready()
        if done and (sender is None or sender.done()):
            return Reply(response.status_code, headers, first)
        return Reply(response.status_code, headers, _StreamingBody(self, first, done, sender))

    async def _send(self, body: AsyncIterator[bytes]) -> None:
        async for data in body:
            for start in range(0, len(data), PIECE):
                await self.stream.write(self.http.send(h11.Data(data=data[start : start + PIECE])) or b"")
        await self.stream.write(self.http.send(h11.EndOfMessage()) or b"")

    async def _response(self, sender: asyncio.Future[None] | None) -> h11.Response | h11.InformationalResponse:
        """The head of the answer. An error of `sender` ends the waiting, but not that the engine stopped reading."""
        informational = 0
        await self._read_more(sender)  # nothing is here yet: `reusable` sees to it
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                await self._read_more(sender)
            elif isinstance(event, h11.Response):
                return event
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return event
                informational += 1
                if informational > limits.ENGINE_INFORMATIONAL:
                    raise h11.RemoteProtocolError("it sends interim responses again and again, and no final one")
            else:
                raise ConnectionResetError("the connection was closed without an answer")

    async def _read_more(self, sender: asyncio.Future[None] | None) -> None:
        if sender is None or sender.done():
            self._receive(await self.stream.read())
            return
        reading = asyncio.ensure_future(self.stream.read())
        try:
            await asyncio.wait((reading, sender), return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and not sender.cancelled():
                error = sender.exception()
                if error is not None and not isinstance(error, OSError):
                    raise error
            self._receive(await reading)
        finally:
            reading.cancel()

    def _receive(self, data: bytes) -> None:
        if not data and not self.http.trailing_data[0]:
            raise ConnectionResetError("it was closed without an answer")
        self.http.receive_data(data)

    @staticmethod
    def _raw(request: Request, response: Any) -> bool:
        """Whether this 200 is the older form of attach: no length, no chunks, bytes both ways from here on."""
        if request.method != "POST" or response.status_code != 200 or not _RAW_ROUTE.match(request.path):
            return False
        return not any(name in (b"content-length", b"transfer-encoding") for name, _ in response.headers)

    def _ready(self) -> tuple[bytes, bool]:
        """What of the body is here already, and whether that is all. Of very many pieces the first ones."""
        pieces: list[bytes] = []
        self._more_here = False
        while True:
            event = self.http.next_event()
            if not isinstance(event, h11.Data):
                return b"".join(pieces), isinstance(event, h11.EndOfMessage)
            pieces.append(bytes(event.data))
            self.pieces += 1
            if len(pieces) >= limits.YIELD_PIECES:
                self._more_here = True
                return b"".join(pieces), False

    async def more_body(self, most: int | None) -> tuple[bytes, bool]:
        """The next piece of the body, and whether it was the last.

        Raises ProtocolError if there are more than `most`.
        """
        while True:
            if most is not None and self.pieces > most:
                raise h11.RemoteProtocolError(f"it came in more than {most} pieces")
            if self._more_here:
                await asyncio.sleep(0)  # others have their turn
            else:
                self.http.receive_data(await self.stream.read(PIECE))
            piece, done = self._ready()
            if piece or done:
                return piece, done


class _StreamingBody:
    """A body that is still coming. The connection is kept for the next request when it came whole, else dropped."""

    def __init__(
        self, connection: _PooledConnection, first: bytes, done: bool, sender: asyncio.Future[None] | None
    ) -> None:
        self._connection = connection
        self._piece = first
        self._done = done
        self._sender = sender
        self._closed = False
        self.finished: Any = None
        self.silent: float | None = None  # seconds that the engine may send nothing
        self.most_pieces: int | None = None

    def __aiter__(self) -> _StreamingBody:
        return self

    async def __anext__(self) -> bytes:
        if self._piece:
            piece, self._piece = self._piece, b""
            return piece
        if self._done or self._closed:
            await self.aclose()
            raise StopAsyncIteration
        try:
            with self._connection.within(self.silent):
                piece, self._done = await self._connection.more_body(self.most_pieces)
        except (h11.ProtocolError, OSError) as error:
            await self.aclose()
            if self._connection.expired:
                raise Unreachable(504, f"the engine sent nothing for {self.silent:g} s") from error
            raise Unreachable(502, f"the engine ended its answer early: {_sanitize(error)}") from error
        except BaseException:
            await self.aclose()
            raise
        if not piece:
            await self.aclose()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._sender is not None and not self._sender.done():
            self._sender.cancel()
            self._connection.close()
        elif self._done and self.finished is not None:
            self.finished(self._connection)
        else:
            self._connection.close()


def _sanitize(error: Exception) -> str:
    """What h11 or the system says; h11 repeats what it got."""
    return printable(str(error))[: limits.ENGINE_REASON_LETTERS]
