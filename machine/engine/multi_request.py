"""Many HTTP requests at once, over TLS, in one thread; each has one deadline for everything.

`_exchange` is one request written from top to bottom as a generator: where it would block it yields the socket it
waits for. `run_all` drives any number of them with a selector. (asyncio would do, and costs 39 ms to import.)
Nothing here knows Docker; failures stay the socket's own exceptions.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from ssl import SSLContext, SSLSocket, SSLWantReadError, SSLWantWriteError

from machine import hostport
from machine.engine.response import LARGEST_BODY, Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any

    Wait = tuple[socket.socket, int, float]  # which socket, which events, until when (monotonic seconds)
    Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]  # family, what connect() takes
    Exchange = Generator[Wait, None, None]

MOST_AT_ONCE = 400  # open sockets; a process may usually have 1024 files
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class PendingRequest:
    """One request for `path`, a GET unless said otherwise.

    Afterwards `reply.done` holds, or `failure` says why not and `phase` how far it came.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: SSLContext | None,
        path: str,
        timeout: float,
        *,
        largest: int = LARGEST_BODY,
    ) -> None:
        self.host, self.port, self.context, self.path, self.timeout = host, port, context, path, timeout
        self.method = "GET"
        self.body: bytes | None = None  # JSON, for POST
        self.reply = Reply(largest)
        self.failure: Exception | None = None
        self.phase = "resolve"  # then connect, handshake, answer
        self.seconds = 0.0  # how long it took
        self.deadline = 0.0
        self.on_end: Callable[[], None] | None = None  # called once it is answered or failed

    def encode(self) -> bytes:
        host = hostport.join(self.host, self.port)
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", "User-Agent: machine"]
        if self.body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + (self.body or b"")


def run_all(requests: Iterable[PendingRequest]) -> None:
    """Run all requests to their reply or failure; nothing is raised for a failure.

    All begin at once (up to MOST_AT_ONCE), so that it takes as long as the slowest, which is at most its timeout.
    """
    waiting = deque(_Task(request) for request in requests)
    running: set[_Task] = set()
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < MOST_AT_ONCE:
                    task = waiting.popleft()
                    running.add(task)
                    task.begin(selector)
                soonest = min(task.until for task in running)
                for key, _ in selector.select(max(soonest - time.monotonic(), 0)):
                    key.data.advance(selector)
                now = time.monotonic()
                for task in running:
                    if not task.ended and task.until <= now:
                        task.advance(selector, TimeoutError())
                running = {task for task in running if not task.ended}
        finally:
            for task in running:
                task.exchange.close()


class _Task:
    """A request in progress: its generator, and the socket and the time that it waits for."""

    def __init__(self, request: PendingRequest) -> None:
        self.request = request
        self.exchange = _exchange(request)
        self.until = 0.0
        self.ended = False
        self._registered: socket.socket | None = None
        self._began = 0.0

    def begin(self, selector: selectors.BaseSelector) -> None:
        self._began = time.monotonic()
        self.request.deadline = self._began + self.request.timeout
        self.advance(selector)

    def advance(self, selector: selectors.BaseSelector, late: TimeoutError | None = None) -> None:
        """Run the exchange until it next waits, or to its end; `late` is raised in it where it waits."""
        if self._registered is not None:
            selector.unregister(self._registered)
            self._registered = None
        try:
            sock, events, self.until = self.exchange.throw(late) if late else next(self.exchange)
        except StopIteration:
            self._end(None)
        except (OSError, ValueError) as error:  # sockets, TLS, NotHttp, a host name that cannot be encoded
            self._end(error)
        else:
            selector.register(sock, events, self)
            self._registered = sock

    def _end(self, failure: Exception | None) -> None:
        self.ended = True
        self.request.failure = failure
        self.request.seconds = time.monotonic() - self._began
        if self.request.on_end is not None:
            self.request.on_end()


def _exchange(request: PendingRequest) -> Exchange:
    """Resolve, connect, shake hands, ask, read."""
    addresses = _literal(request.host, request.port)
    if not addresses:
        addresses = yield from _resolve(request)
    request.phase = "connect"
    sock = yield from _connect(addresses, request.deadline)
    try:
        if request.context is not None:
            request.phase = "handshake"
            sock = wrapped = request.context.wrap_socket(
                sock, server_hostname=_without_idna(request.host.partition("%")[0]), do_handshake_on_connect=False
            )
            yield from _shake_hands(wrapped, request.deadline)
        request.phase = "answer"
        try:  # noqa: SIM105 - contextlib costs 4 ms to import
            sock.sendall(request.encode())  # far smaller than any socket's buffer: it goes in one piece
        except OSError:
            pass  # a peer that has hung up said why before (a TLS alert); that is read below
        while not request.reply.done:
            if time.monotonic() >= request.deadline:
                raise TimeoutError  # bytes without end are never waited for, so the selector does not see it
            try:
                data = sock.recv(65536)
            except (SSLWantReadError, BlockingIOError):
                yield sock, READ, request.deadline
            else:
                request.reply.feed(data)
    finally:
        sock.close()


def _literal(host: str, port: int) -> list[Address]:
    """The address itself if `host` is one; that needs no lookup."""
    try:
        found = socket.getaddrinfo(_without_idna(host), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [(row[0], row[4]) for row in found]  # type: ignore[misc]


def _without_idna(host: str) -> str | bytes:
    """`host` as bytes where that is the same: text goes through the codec `idna`, which costs 2 ms to import."""
    return host.encode() if host.isascii() else host


def _resolve(request: PendingRequest) -> Generator[Wait, None, list[Address]]:
    """Look a name up in a thread of its own, for getaddrinfo knows no deadline."""
    import threading

    reader, writer = socket.socketpair()
    found: list[Address] = []
    failure: list[OSError] = []

    def look_up() -> None:
        with writer:
            try:
                rows = socket.getaddrinfo(request.host, request.port, type=socket.SOCK_STREAM)
                found.extend((row[0], row[4]) for row in rows)  # type: ignore[misc]
            except (OSError, UnicodeError) as error:
                failure.append(error if isinstance(error, OSError) else OSError(str(error)))

    with reader:
        threading.Thread(target=look_up, daemon=True).start()
        yield reader, READ, request.deadline  # closing the other end wakes us
    if failure:
        raise failure[0]
    return found


def _connect(addresses: list[Address], deadline: float) -> Generator[Wait, None, socket.socket]:
    """Try one address after the other, each for an equal part of the time that is left."""
    last = OSError("the name has no address")
    for number, (family, address) in enumerate(addresses):
        now = time.monotonic()
        until = now + (deadline - now) / (len(addresses) - number)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            yield from _connect_one(sock, address, until)
        except OSError as error:
            last = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last


def _connect_one(sock: socket.socket, address: Any, until: float) -> Exchange:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.connect(address)
    except BlockingIOError:
        yield sock, WRITE, until
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:  # OSError picks the subclass by the number: ConnectionRefusedError and its like
        raise OSError(code, os.strerror(code))


def _shake_hands(sock: SSLSocket, deadline: float) -> Exchange:
    while True:
        try:
            sock.do_handshake()
        except SSLWantReadError:
            yield sock, READ, deadline
        except SSLWantWriteError:
            yield sock, WRITE, deadline
        else:
            return
