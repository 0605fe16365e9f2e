"""The back of a chain: one engine, asked over HTTP/1.1 (h11), on connections that are kept and used again."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

import h11

from machine.swarm.address import Address, Trust, dial
from machine.swarm.chain import Headers, NotConnected, Reply, Request, Unreachable
from machine.swarm.headers import through
from machine.swarm.stream import PIECE, Stream

MAX_IDLE = 8  # connections to one engine that are kept for the next request
MAX_HEAD = 256 * 1024  # bytes of an answer's head
_REPEATABLE = ("GET", "HEAD")
_RAW_ROUTE = re.compile(r"/(containers/.+/attach|exec/[^/]+/start)\Z")  # hijacked even without Upgrade


class Client:
    """An engine as the end of a chain: `await client(request)`. Unreachable if there is no talking to it."""

    def __init__(self, address: Address, trust: Trust | None = None, *, connect_timeout: float = 10.0) -> None:
        """CertificateError if the files that `trust` names cannot be used."""
        self.address = address
        self.tls: ssl.SSLContext | None = trust.for_client() if trust else None
        self.connect_timeout = connect_timeout
        self._idle: list[_Link] = []
        self._host = b"docker" if address.path else str(address)[len("tcp://") :].encode()

    async def __call__(self, request: Request) -> Reply:
        """Ask the engine."""
        link = None if request.upgrade else self._kept()
        if link is not None:
            try:
                return await self._ask(link, request)
            except _GoneBeforeAnswer:
                if request.method not in _REPEATABLE or not isinstance(request.body, bytes):
                    raise
        return await self._ask(await self._connect(), request)

    async def close(self) -> None:
        """Drop the idle connections."""
        idle, self._idle = self._idle, []
        for link in idle:
            link.stream.close()

    def _kept(self) -> _Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.stream.idle:
                return link
            link.stream.close()
        return None

    def _keep(self, link: _Link) -> None:
        if link.reusable() and len(self._idle) < MAX_IDLE:
            self._idle.append(link)
        else:
            link.stream.close()

    async def _connect(self) -> _Link:
        try:
            return _Link(await dial(self.address, self.tls, timeout=self.connect_timeout))
        except TimeoutError as error:
            raise NotConnected(504, f"the engine at {self.address} does not answer: {error}") from error
        except OSError as error:
            raise NotConnected(502, f"cannot connect to the engine at {self.address}: {_why(error)}") from error

    async def _ask(self, link: _Link, request: Request) -> Reply:
        try:
            reply = await link.ask(request, self._head(request))
        except h11.ProtocolError as error:
            link.stream.abort()
            raise Unreachable(502, f"the engine at {self.address} does not speak HTTP: {error}") from error
        except OSError as error:
            link.stream.abort()
            raise _GoneBeforeAnswer(502, f"the engine at {self.address} dropped the call: {_why(error)}") from error
        except BaseException:
            link.stream.abort()
            raise
        if isinstance(reply.body, _Answer):
            reply.body.finished = self._keep
        elif isinstance(reply.body, bytes):
            self._keep(link)
        return reply

    def _head(self, request: Request) -> list[tuple[bytes, bytes]]:
        head = [(b"host", self._host), *through(request.headers)]
        if request.upgrade:
            head += [(b"connection", b"Upgrade"), (b"upgrade", request.header(b"upgrade"))]
        if not isinstance(request.body, bytes):
            head.append((b"transfer-encoding", b"chunked"))
        elif request.body or request.method in ("POST", "PUT"):
            head.append((b"content-length", b"%d" % len(request.body)))
        return head


class _GoneBeforeAnswer(Unreachable):
    """The connection ended before a byte of the answer; on a kept one that may mean nothing."""


class _Link:
    """One connection to the engine with its HTTP state."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)

    def reusable(self) -> bool:
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE or not self.stream.idle:
            return False
        self.http.start_next_cycle()
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
        headers = tuple(response.headers)
        if response.status_code == 101 or self._raw(request, response):
            self.stream.unread(self.http.trailing_data[0])
            return Reply(response.status_code, headers, self.stream)
        first, done = self._ready()
        if done and (sender is None or sender.done()):
            return Reply(response.status_code, headers, first)
        return Reply(response.status_code, headers, _Answer(self, first, done, sender))

    async def _send(self, body: AsyncIterator[bytes]) -> None:
        async for data in body:
            for start in range(0, len(data), PIECE):
                await self.stream.write(self.http.send(h11.Data(data=data[start : start + PIECE])) or b"")
        await self.stream.write(self.http.send(h11.EndOfMessage()) or b"")

    async def _response(self, sender: asyncio.Future[None] | None) -> h11.Response | h11.InformationalResponse:
        """The head of the answer. An error of `sender` ends the waiting, but not that the engine stopped reading."""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                await self._more(sender)
            elif isinstance(event, h11.Response):
                return event
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return event
            else:
                raise ConnectionResetError("the connection was closed without an answer")

    async def _more(self, sender: asyncio.Future[None] | None) -> None:
        if sender is None or sender.done():
            self._take(await self.stream.read())
            return
        reading = asyncio.ensure_future(self.stream.read())
        try:
            await asyncio.wait((reading, sender), return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and not sender.cancelled():
                error = sender.exception()
                if error is not None and not isinstance(error, OSError):
                    raise error
            self._take(await reading)
        finally:
            reading.cancel()

    def _take(self, data: bytes) -> None:
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
        """What of the body is here already, and whether that is all."""
        pieces: list[bytes] = []
        while True:
            event = self.http.next_event()
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            else:
                return b"".join(pieces), isinstance(event, h11.EndOfMessage)

    async def more_body(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether it was the last."""
        while True:
            self.http.receive_data(await self.stream.read(PIECE))
            piece, done = self._ready()
            if piece or done:
                return piece, done


class _Answer:
    """A body that is still coming. The connection is kept for the next request when it came whole, else dropped."""

    def __init__(self, link: _Link, first: bytes, done: bool, sender: asyncio.Future[None] | None) -> None:
        self._link = link
        self._piece = first
        self._done = done
        self._sender = sender
        self._left = False
        self.finished: Any = None

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> bytes:
        if self._piece:
            piece, self._piece = self._piece, b""
            return piece
        if self._done or self._left:
            await self.aclose()
            raise StopAsyncIteration
        try:
            piece, self._done = await self._link.more_body()
        except (h11.ProtocolError, OSError) as error:
            await self.aclose()
            raise Unreachable(502, f"the engine broke off its answer: {error}") from error
        except BaseException:
            await self.aclose()
            raise
        if not piece:
            await self.aclose()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        if self._left:
            return
        self._left = True
        if self._sender is not None and not self._sender.done():
            self._sender.cancel()
            self._link.stream.close()
        elif self._done and self.finished is not None:
            self.finished(self._link)
        else:
            self._link.stream.close()


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
