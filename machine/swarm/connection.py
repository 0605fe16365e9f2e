"""One client of the front: its requests one after another, read with h11, and their answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple

import h11

from machine.errors import MachineError
from machine.swarm.chain import Body, Headers, Hijack, Next, Refused, Reply, Request
from machine.swarm.headers import length, through, wire_head
from machine.swarm.stream import PIECE, Stream, pump

_QUICK = ("GET", "HEAD", "OPTIONS")  # calls that change nothing: dropped when the client goes away
_REASON = {status.value: status.phrase.encode() for status in HTTPStatus}
_SMALL = 64 * 1024  # request bodies up to this size are read before the chain is asked


class Limits(NamedTuple):
    """What a client may cost."""

    head: int = 64 * 1024  # bytes of request line and headers
    head_seconds: float = 30.0  # from the first byte of a request to the end of its head; also the TLS handshake
    idle_seconds: float = 600.0  # between two requests on one connection
    drain: int = 256 * 1024  # bytes of an unread request body that are thrown away rather than the connection
    connections: int = 10_000


class Connection:
    """One client. `log` takes one line about what went wrong here."""

    def __init__(self, stream: Stream, chain: Next, limits: Limits, log: Callable[[str], None]) -> None:
        self.chain = chain
        self.limits = limits
        self.log = log
        self.stream = stream
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)
        self.answered = False  # whether the head of the answer is out

    async def run(self) -> None:
        """Serve it until one side has enough."""
        try:
            with self._within(self.limits.head_seconds):
                await self.stream.handshake()
            while await self._one_call():
                pass
        except asyncio.CancelledError:
            self.stream.abort()
            raise
        except OSError as error:
            if isinstance(error, ssl.SSLError):
                self.log(f"TLS with {self.stream.peer_name() or 'a client'} failed: {error.reason or error}")
        except h11.ProtocolError as error:
            await self._complain(error)
        except Exception:
            self.log(traceback.format_exc())
        finally:
            self.stream.close()

    async def _one_call(self) -> bool:
        """Read a request, answer it; whether another may follow."""
        request = await self._request()
        if request is None:
            return False
        self.answered = False
        reply = await self._reply(request)
        try:
            if isinstance(reply.body, Hijack):
                await self._hand_over(reply)
                return False
            await self._send(reply, request)
        finally:
            await reply.close()
        return await self._ready_for_next()

    async def _request(self) -> Request | None:
        """The next request; None when the client has no more. A small body is read, a big one becomes a stream."""
        if not self.http.trailing_data[0]:
            with self._within(self.limits.idle_seconds):
                self.http.receive_data(await self.stream.read())
        with self._within(self.limits.head_seconds):
            event = await self._event()
        if isinstance(event, h11.ConnectionClosed):
            return None
        if not isinstance(event, h11.Request):
            raise ConnectionResetError("no request")
        headers = tuple(event.headers)
        body: Body = b""
        size = length(headers)
        if (size is None and not _chunked(headers)) or size == 0:
            await self._event()  # the end of a message without a body
        elif size is not None and size <= _SMALL and not self.http.they_are_waiting_for_100_continue:
            with self._within(self.limits.head_seconds):
                body = await self._gather()
        else:
            body = self._incoming()
        return Request(event.method.decode(), event.target.decode(), headers, body)

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Drop a connection whose client takes longer. Much cheaper than a task per wait."""
        timer = asyncio.get_running_loop().call_later(seconds, self.stream.abort)
        try:
            yield
        finally:
            timer.cancel()

    async def _event(self) -> object:
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.http.they_are_waiting_for_100_continue:
                await self.stream.write(self.http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            self.http.receive_data(await self.stream.read())

    async def _gather(self) -> bytes:
        pieces: list[bytes] = []
        while True:
            event = await self._event()
            if not isinstance(event, h11.Data):
                return b"".join(pieces)
            pieces.append(bytes(event.data))

    async def _incoming(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Refused(400, "the request broke off")

    async def _reply(self, request: Request) -> Reply:
        """What the chain says. If the client goes away meanwhile, a call that changes nothing is dropped."""
        forget = self._drop_when_gone() if request.method in _QUICK and not request.upgrade else None
        try:
            return await self.chain(request)
        except Refused as error:
            return Reply.error(error.status, error.message)
        except MachineError as error:
            return Reply.error(500, f"{error.brief}: {error.details}" if error.details else error.brief)
        except h11.RemoteProtocolError:
            raise
        except Exception:
            self.log(traceback.format_exc())
            return Reply.error(500, "this is a bug in machine; its log has the traceback")
        finally:
            if forget is not None:
                forget()

    def _drop_when_gone(self) -> Callable[[], None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        return self.stream.when_over(task.cancel)

    async def _send(self, reply: Reply, request: Request) -> None:
        headers = through(reply.headers)
        body = reply.body
        empty = reply.status in (204, 304) or request.method == "HEAD"
        size = length(reply.headers)
        if isinstance(body, bytes) and not (request.method == "HEAD" and size is not None):
            size = len(body)
        if size is not None and reply.status != 204:
            headers.append((b"content-length", b"%d" % size))
        reason = _REASON.get(reply.status, b"")
        head = self.http.send(h11.Response(status_code=reply.status, headers=headers, reason=reason)) or b""
        self.answered = True
        if empty:
            await self.stream.write(head + (self.http.send(h11.EndOfMessage()) or b""))
        elif isinstance(body, bytes):
            self.http.send(h11.Data(data=body))  # with a length h11 passes the bytes on as they are: not copied here
            end = self.http.send(h11.EndOfMessage()) or b""
            if len(body) <= PIECE:
                await self.stream.write(head + body + end)
            else:
                await self.stream.write(head)
                await self.stream.write(body)
        else:
            assert not isinstance(body, Hijack)  # noqa: S101
            await self.stream.write(head)
            await self._send_stream(body)

    async def _send_stream(self, body: AsyncIterator[bytes]) -> None:
        forget = self._drop_when_gone()
        try:
            async for data in body:
                if data:
                    await self.stream.write(self.http.send(h11.Data(data=data)) or b"")
        except (Refused, h11.LocalProtocolError) as error:
            self.log(f"an answer broke off: {error}")
            raise ConnectionResetError("the answer broke off") from error  # the missing end tells the client
        finally:
            forget()
        await self.stream.write(self.http.send(h11.EndOfMessage()) or b"")

    async def _hand_over(self, reply: Reply) -> None:
        """Answer by hand, because h11 would frame a 200, and carry bytes both ways."""
        assert isinstance(reply.body, Hijack)  # noqa: S101
        if reply.status == 101:
            kept = through(reply.headers)
            upgrade = reply.header(b"upgrade") or b"tcp"
            head = wire_head(b"HTTP/1.1 101 UPGRADED", [*kept, (b"connection", b"Upgrade"), (b"upgrade", upgrade)])
        else:
            head = wire_head(b"HTTP/1.1 %d OK" % reply.status, through(reply.headers))
        self.stream.unread(self.http.trailing_data[0])
        await self.stream.write(head)
        await pump(self.stream, reply.body)

    async def _ready_for_next(self) -> bool:
        """Throw away what is left of the request, if that is little; whether the connection can go on."""
        left = self.limits.drain
        while self.http.their_state is h11.SEND_BODY:
            with self._within(self.limits.head_seconds):
                event = await self._event()
            if isinstance(event, h11.Data):
                left -= len(event.data)
                if left < 0:
                    return False
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        return True

    async def _complain(self, error: h11.ProtocolError) -> None:
        """The request was no HTTP: say so, if nothing has been said yet, and close."""
        if self.answered or self.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        reply = Reply.error(getattr(error, "error_status_hint", 400), f"this is not a request: {error}")
        headers = [*reply.headers, (b"connection", b"close"), (b"content-length", b"%d" % len(await reply.read()))]
        with contextlib.suppress(OSError):
            status = b"HTTP/1.1 %d %s" % (reply.status, _REASON[reply.status])
            await self.stream.write(wire_head(status, headers) + await reply.read())
            await self.stream.end()
            left = self.limits.drain  # closing on unread bytes would reset the connection, and our words with it
            with self._within(2.0):
                while left > 0 and (data := await self.stream.read()):
                    left -= len(data)


def _chunked(headers: Headers) -> bool:
    return any(name == b"transfer-encoding" for name, _ in headers)
