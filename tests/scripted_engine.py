"""A Docker Engine that answers what a script says, however wrong: for tests of whoever reads an engine's answers.

    with ScriptedEngine("bad") as engine:
        engine.answers["/images/json"] = json_answer({"a": 1})
        engine.answers["GET /version"] = cut_short({"Version": "27"})
        ...  # ask engine.address, "127.0.0.1:PORT"

Real sockets on loopback in a thread of its own, so it serves synchronous and asynchronous tests alike. A route
without a script is answered by a simulated engine, which keeps containers, images, networks and volumes.
The answers are in tests/scripted_answers.py; `HOSTILE` there has one of every bad kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from machine.swarmd.simulator.engine import SimulatedEngine
from tests.scripted_answers import CHUNK, HEAD_OF_CHUNKS, Answer, AnswerPart, Hang, Pause, Repeat, chunk, silent_stream

READ_LIMIT = 16 << 20  # bytes of a request's head or body


class Received(NamedTuple):
    """One request as it came. `path` is without the API version and the query, percent-encoded as it was."""

    method: str
    target: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


Script = Answer | Callable[[Received], Answer | None]


class ScriptedEngine:
    """`answers` maps "METHOD /path", "/path", a regular expression "~PATTERN" of the path, or "*" to what is said.

    The first that fits in this order counts; a function may return None to leave the call to the simulated engine
    `engine`. `requests` has every call that came in.
    """

    def __init__(
        self, name: str = "scripted", containers: int = 0, *, tls: ssl.SSLContext | None = None, **more: Any
    ) -> None:
        """`tls` is a server's context; `more` goes to SimulatedEngine."""
        self.engine = SimulatedEngine(name, containers, **more)
        self.answers: dict[str, Script] = {}
        self.requests: list[Received] = []
        self.port = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)
        self._listening = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._events: set[asyncio.Queue[bytes]] = set()

    @property
    def address(self) -> str:
        """Where it listens: "127.0.0.1:PORT"."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The same as DOCKER_HOST has it."""
        return f"tcp://{self.address}"

    def __enter__(self) -> ScriptedEngine:
        self._thread.start()
        assert self._listening.wait(60), "the scripted engine did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def __aenter__(self) -> ScriptedEngine:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def call(self, work: Callable[[], Any]) -> Any:
        """Run a coroutine function in the engine's thread, and wait for what it returns."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)

    def send_event(self, data: bytes) -> None:
        """Put bytes on every open stream of events."""

        async def send() -> None:
            for queue in self._events:
                queue.put_nowait(data)

        self.call(send)

    def stop_listening(self) -> None:
        """Refuse connections and drop those that are open, as an engine that died."""
        self.call(self._stop)

    def listen_again(self) -> None:
        """Come back on the same port after `stop_listening`."""
        self.call(self._start)

    def asked(self, path: str, method: str = "") -> int:
        """How often a path (without version and query) was asked for."""
        return sum(r.path == path and method in ("", r.method) for r in list(self.requests))

    # in the engine's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._listening.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, ssl=self._tls, limit=READ_LIMIT
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one_call(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(Exception):
                writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _one_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        received = await _read_request(reader)
        if received is None:
            return False
        self.requests.append(received)
        script = self._script(received)
        answer = script(received) if callable(script) else script
        if answer is None:
            return await self._simulate(received, writer)
        for part in answer.parts:
            if not await _take(part, reader, writer):
                return False
        return answer.keep

    def _script(self, received: Received) -> Script | None:
        for key in (f"{received.method} {received.path}", received.path):
            if key in self.answers:
                return self.answers[key]
        for key, script in self.answers.items():
            if key.startswith("~") and re.search(key[1:], received.path):
                return script
        return self.answers.get("*")

    async def _simulate(self, received: Received, writer: asyncio.StreamWriter) -> bool:
        said = self.engine.answer(received.method, received.target, received.body)
        if said.events:
            await self._tell_events(writer)
            return False
        if said.until:
            for part in (*silent_stream().parts,):
                await _take(part, None, writer)
        body = said.body
        kind = "application/json" if body[:1] in (b"{", b"[") else "text/plain"
        head = b"HTTP/1.1 %d X\r\napi-version: 1.51\r\ncontent-type: %s\r\n" % (said.status, kind.encode())
        if said.status != 204:
            head += b"content-length: %d\r\n" % len(body)
        writer.write(head + b"\r\n" + (b"" if received.method == "HEAD" else body))
        await writer.drain()
        return True

    async def _tell_events(self, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.engine.listeners.add(queue.put_nowait)
        self._events.add(queue)
        try:
            writer.write(HEAD_OF_CHUNKS)
            while True:
                await writer.drain()
                writer.write(chunk(await queue.get()))
        finally:
            self._events.discard(queue)
            self.engine.listeners.discard(queue.put_nowait)


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
    body = await _read_body(reader, headers)
    path = re.sub(r"\A/v[0-9.]+(?=/)", "", target.partition("?")[0])
    return Received(method, target, path, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length") or 0))
    pieces = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        pieces.append((await reader.readexactly(size + 2))[:-2])
        if size == 0:
            return b"".join(pieces)


async def _take(part: AnswerPart, reader: asyncio.StreamReader | None, writer: asyncio.StreamWriter) -> bool:
    """Do one part; whether another may follow."""
    if isinstance(part, bytes):
        writer.write(part)
        await writer.drain()
    elif isinstance(part, Pause):
        await asyncio.sleep(part.seconds)
    elif isinstance(part, Repeat):
        done = 0
        while part.times is None or done < part.times:
            many = 1 if part.pause else max(CHUNK // max(len(part.data), 1), 1)
            many = many if part.times is None else min(many, part.times - done)
            writer.write(part.data * many)
            await writer.drain()
            await asyncio.sleep(part.pause)
            done += many
    elif isinstance(part, Hang):
        while reader is not None and await reader.read(CHUNK):
            pass
        return False
    else:
        sock = writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SOL_SOCKET, SO_LINGER of 0 s: a reset
        writer.transport.abort()
        return False
    return True
