"""One client's connection to the server: its requests one after another, read with h11, and their answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import NamedTuple

import h11

from machine.errors import MachineError
from machine.swarm import limits as bounds
from machine.swarm import loop_guard
from machine.swarm.http.admission import Admission, ClientConnection, counted_as
from machine.swarm.http.deadline import Deadline
from machine.swarm.http.headers import forwardable_headers, headers_of, length, wire_head
from machine.swarm.http.request_head import BadHead, check_framing, origin_form
from machine.swarm.http.stream import PIECE, Stream, pump
from machine.swarm.pipeline import ApiError, Body, CallNext, Headers, Hijack, Reply, Request
from machine.swarm.printable import traceback_of

_QUICK = ("GET", "HEAD", "OPTIONS")  # calls that change nothing: dropped when the client goes away
_REASON = {status.value: status.phrase.encode() for status in HTTPStatus}


class Limits(NamedTuple):
    """What a client may cost: machine.swarm.limits has the reasons. None = as many as the files of the process allow.

    `body` = every body is read before the pipeline is called, no longer one is taken: for services of small messages.
    """

    head: int = bounds.CLIENT_HEAD
    handshake_seconds: float = bounds.CLIENT_HANDSHAKE_SECONDS
    first_seconds: float = bounds.CLIENT_FIRST_SECONDS
    head_seconds: float = bounds.CLIENT_HEAD_SECONDS
    idle_seconds: float = bounds.CLIENT_IDLE_SECONDS
    unread_seconds: float = bounds.CLIENT_UNREAD_SECONDS
    drain: int = bounds.CLIENT_DRAIN
    connections: int = bounds.CLIENT_CONNECTIONS
    waiting: int | None = None
    waiting_per_address: int | None = None
    body: int | None = None


class Listener(NamedTuple):
    """What one listener checks and allows.

    `verified` = its TLS takes only clients with a certificate, or it is a unix socket. `log` takes one line about what
    went wrong here. `refuses` says why a request is not taken, "" if it is.
    """

    limits: Limits
    log: Callable[[str], None]
    admission: Admission
    verified: bool = False
    refuses: Callable[[Request], str] = lambda _: ""
    mark: bytes = b""  # which calls that came through it carry (machine.swarm.loop_guard)


class Connection:
    """One client of one listener."""

    def __init__(self, stream: Stream, chain: CallNext, listener: Listener) -> None:
        self.chain = chain
        self.limits = listener.limits
        self.log = listener.log
        self.stream = stream
        self.admission = listener.admission
        self.listener = listener
        self.client = stream.peer_address()
        self.visitor = ClientConnection(counted_as(self.client), stream.abort, lambda: stream.heard)
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=self.limits.head)
        self.deadline = Deadline(stream.abort)  # drops a client that takes longer than it may
        self.head_sent = False  # whether the head of the answer is out
        self.is_first_request = True  # whether no request has come yet

    async def run(self) -> None:
        """Serve it until one side has enough."""
        try:
            with self.deadline.within(min(self.limits.handshake_seconds, self.limits.head_seconds)):
                await self.stream.handshake()
            if self.listener.verified:
                self.admission.mark_authenticated(self.visitor)
            while await self._one_call():
                self.admission.wait(self.visitor)
        except asyncio.CancelledError:
            self.stream.abort()
            raise
        except OSError as error:
            if isinstance(error, ssl.SSLError):
                self.log(f"TLS with {self.stream.peer_name() or 'a client'} failed: {error.reason or error}")
        except h11.ProtocolError as error:
            await self._complain(str(error), getattr(error, "error_status_hint", 400))
        except BadHead as error:
            await self._complain(str(error), error.status)
        except ApiError as error:
            await self._complain(error.message, error.status)
        except Exception as error:
            self.log(traceback_of(error))
        finally:
            self.deadline.stop()
            self.stream.close()

    async def _one_call(self) -> bool:
        """Read a request, answer it; whether another may follow."""
        self.head_sent = False
        request = await self._request()
        if request is None:
            return False
        self.admission.serve(self.visitor)
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
            seconds = self.limits.idle_seconds
            if self.is_first_request and not self.visitor.authenticated:
                seconds = min(seconds, self.limits.first_seconds)
            with self.deadline.within(seconds):
                self.http.receive_data(await self.stream.read())
        self.is_first_request = False
        event: object = self.http.next_event()
        if event is h11.NEED_DATA:  # else nothing is waited for: nearly always a head comes in one piece
            with self.deadline.within(self.limits.head_seconds):
                event = await self._event()
        if isinstance(event, h11.ConnectionClosed):
            return None
        if not isinstance(event, h11.Request):
            raise ConnectionResetError("no request")
        headers = headers_of(event)
        check_framing(event.http_version, headers)
        method = event.method.decode()
        target = origin_form(method, event.target.decode())
        return Request(method, target, headers, await self._body(headers), self.client)

    async def _body(self, headers: Headers) -> Body:
        """The body: read, if it is small or has to be; else a stream. Raises ApiError(413) if it is too long."""
        size = length(headers)
        if size == 0 or (size is None and not _is_chunked(headers)):
            await self._event()  # the end of a message without a body
            return b""
        most = self.limits.body
        if most is None and (size is None or size > bounds.BODY_SMALL or self.http.they_are_waiting_for_100_continue):
            return self._incoming()
        most = bounds.BODY_SMALL if most is None else most
        if size is not None and size > most:
            raise ApiError(413, f"a body of more than {most} bytes is not accepted here")
        with self.deadline.within(self.limits.head_seconds):
            return await self._gather(most)

    async def _event(self) -> object:
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.http.they_are_waiting_for_100_continue:
                await self.stream.write(self.http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            self.http.receive_data(await self.stream.read())

    async def _gather(self, most: int) -> bytes:
        """The whole body, whatever its head says of its length. Raises ApiError(413) beyond `most` bytes."""
        pieces: list[bytes] = []
        size = 0
        while isinstance(event := await self._event(), h11.Data):
            size += len(event.data)
            if size > most:
                raise ApiError(413, f"a body of more than {most} bytes is not accepted here")
            pieces.append(bytes(event.data))
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionResetError("the request ended early")
        return b"".join(pieces)

    async def _incoming(self) -> AsyncIterator[bytes]:
        while True:
            with self.deadline.within(self.limits.idle_seconds):
                event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise ApiError(400, "the request ended early")

    async def _reply(self, request: Request) -> Reply:
        """What the pipeline answers. If the client goes away meanwhile, a call that changes nothing is dropped."""
        refusal = self.listener.refuses(request)
        if refusal:
            return Reply.error(403, refusal)
        forget = self._drop_when_gone() if request.method in _QUICK and not request.upgrade else None
        try:
            loop_guard.record_visit(self.listener.mark, request.headers)
            return await self.chain(request)
        except ApiError as error:
            return Reply.error(error.status, error.message)
        except MachineError as error:
            return Reply.error(500, f"{error.brief}: {error.details}" if error.details else error.brief)
        except h11.RemoteProtocolError:
            raise
        except Exception as error:
            self.log(traceback_of(error))
            return Reply.error(500, "this is a bug in machine; its log has the traceback")
        finally:
            if forget is not None:
                forget()

    def _drop_when_gone(self) -> Callable[[], None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        return self.stream.when_over(task.cancel)

    async def _send(self, reply: Reply, request: Request) -> None:
        headers = forwardable_headers(reply.headers)
        body = reply.body
        empty = reply.status in (204, 304) or request.method == "HEAD"
        size = length(reply.headers)
        # Clients tell a progress from an error by the chunks that it comes in, however short it is.
        in_chunks = reply.ok and _is_chunked(reply.headers) and not empty
        if in_chunks:
            size = None
        elif isinstance(body, bytes) and not (request.method == "HEAD" and size is not None):
            size = len(body)
        if size is not None and reply.status != 204:
            headers.append((b"content-length", b"%d" % size))
        reason = _REASON.get(reply.status, b"")
        head = self.http.send(h11.Response(status_code=reply.status, headers=headers, reason=reason)) or b""
        self.head_sent = True
        if empty:
            await self._write_whole(head + (self.http.send(h11.EndOfMessage()) or b""))
        elif isinstance(body, bytes) and in_chunks:
            data = (self.http.send(h11.Data(data=body)) or b"") if body else b""
            await self._write_whole(head + data + (self.http.send(h11.EndOfMessage()) or b""))
        elif isinstance(body, bytes):
            self.http.send(h11.Data(data=body))  # with a length h11 passes the bytes on as they are: not copied here
            end = self.http.send(h11.EndOfMessage()) or b""
            if len(body) <= PIECE:
                await self._write_whole(head + body + end)
            else:
                await self._write_whole(head)
                await self._write_whole(body)
        else:
            assert not isinstance(body, Hijack)  # noqa: S101
            await self.stream.write(head)
            await self._send_stream(body)

    async def _write_whole(self, data: bytes) -> None:
        """Send what is there already. A client that does not take it is dropped, in a crowd at once."""
        self.admission.wait(self.visitor)
        view = memoryview(data) if len(data) > PIECE else data
        for start in range(0, len(view), PIECE):
            if not self.stream.write_now(view[start : start + PIECE]):
                with self.deadline.within(self.limits.unread_seconds):
                    await self.stream.drain()

    async def _send_stream(self, body: AsyncIterator[bytes]) -> None:
        forget = self._drop_when_gone()
        try:
            async for data in body:
                if data:
                    await self.stream.write(self.http.send(h11.Data(data=data)) or b"")
        except (ApiError, h11.LocalProtocolError) as error:
            self.log(f"an answer ended early: {error}")
            raise ConnectionResetError("the answer ended early") from error  # the missing end tells the client
        finally:
            forget()
        await self.stream.write(self.http.send(h11.EndOfMessage()) or b"")

    async def _hand_over(self, reply: Reply) -> None:
        """Answer by hand, because h11 would frame a 200, and carry bytes both ways."""
        assert isinstance(reply.body, Hijack)  # noqa: S101
        if reply.status == 101:
            kept = forwardable_headers(reply.headers)
            upgrade = reply.header(b"upgrade") or b"tcp"
            head = wire_head(b"HTTP/1.1 101 UPGRADED", [*kept, (b"connection", b"Upgrade"), (b"upgrade", upgrade)])
        else:
            head = wire_head(b"HTTP/1.1 %d OK" % reply.status, forwardable_headers(reply.headers))
        self.stream.unread(self.http.trailing_data[0])
        await self.stream.write(head)
        await pump(self.stream, reply.body)

    async def _ready_for_next(self) -> bool:
        """Throw away what is left of the request, if that is little; whether the connection can go on."""
        remaining = self.limits.drain
        if self.http.their_state is h11.SEND_BODY:
            with self.deadline.within(self.limits.head_seconds):
                while self.http.their_state is h11.SEND_BODY:
                    event = await self._event()
                    if isinstance(event, h11.Data):
                        remaining -= len(event.data)
                        if remaining < 0:
                            return False
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        return True

    async def _complain(self, reason: str, status: int) -> None:
        """The request is not taken: say so, if nothing has been said yet, and close."""
        if self.head_sent or self.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        reply = Reply.error(status, f"this is not a request that is taken: {reason}")
        headers = [*reply.headers, (b"connection", b"close"), (b"content-length", b"%d" % len(await reply.read()))]
        with contextlib.suppress(OSError):
            line = b"HTTP/1.1 %d %s" % (status, _REASON[status])
            await self._write_whole(wire_head(line, headers) + await reply.read())
            await self.stream.end()
            remaining = self.limits.drain  # closing on unread bytes would reset the connection, and our words with it
            with self.deadline.within(2.0):
                while remaining > 0 and (data := await self.stream.read()):
                    remaining -= len(data)


def _is_chunked(headers: Headers) -> bool:
    return any(name == b"transfer-encoding" for name, _ in headers)
