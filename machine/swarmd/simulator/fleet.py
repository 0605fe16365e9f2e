"""Many simulated engines in one process: python -m machine.swarmd.simulator.fleet ENGINES CONTAINERS [PORT]

For measuring. Prints the addresses, one a line, which is a file for `file://` discovery. Its HTTP is a few lines over
asyncio.Protocol rather than h11, because the farm shares the processor with what it measures; it understands what
HTTP/1.1 clients send that give a length or no body at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Sequence
from typing import cast

from machine.swarmd.simulator.engine import GIB, SimulatedEngine
from machine.swarmd.simulator.responses import Response

_REASON = {200: b"OK", 201: b"Created", 204: b"No Content", 304: b"Not Modified"}
_HEAD = b"Api-Version: 1.51\r\nOstype: linux\r\nServer: Docker/29.0.0 (simulated)\r\nContent-Type: application/json\r\n"


class _Connection(asyncio.Protocol):
    """One client of one engine. Requests may be pipelined; a stream of events ends with the connection."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self.engine = engine
        self.buffer = b""
        self.listening = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end]
            size = _length(head)
            if len(self.buffer) < end + 4 + size:
                return
            body = self.buffer[end + 4 : end + 4 + size]
            self.buffer = self.buffer[end + 4 + size :]
            method, target, _ = head[: head.find(b"\r\n") if b"\r\n" in head else len(head)].split(b" ", 2)
            self._respond(method, self.engine.answer(method.decode(), target.decode(), body))

    def connection_lost(self, _: Exception | None) -> None:
        self.engine.listeners.discard(self._event)

    def _respond(self, method: bytes, response: Response) -> None:
        if response.events or response.until:
            self.transport.write(b"HTTP/1.1 200 OK\r\n" + _HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
            if response.events:
                self.engine.listeners.add(self._event)
            else:
                self.engine.when_ended(response.until, self._exit)
            return
        head = b"HTTP/1.1 %d %s\r\n%s" % (response.status, _REASON.get(response.status, b"Error"), _HEAD)
        if response.status not in (204, 304):
            head += b"Content-Length: %d\r\n" % len(response.body)
        self.transport.write(head + b"\r\n" + (b"" if method == b"HEAD" else response.body))

    def _event(self, line: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(line), line))

    def _exit(self, code: int) -> None:
        body = b'{"StatusCode":%d}\n' % code
        self.transport.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


class SimulatedFleet:
    """`count` engines called sim-0001, ... with `containers` each, on 127.0.0.1 from `port` on (0 = any free ports)."""

    def __init__(self, count: int, containers: int, *, port: int = 0, oldest_api: str = "1.24") -> None:
        self.port = port
        self.engines = [
            SimulatedEngine(f"sim-{i + 1:04}", containers, cpus=64, memory=256 * GIB, oldest_api=oldest_api)
            for i in range(count)
        ]
        self.addresses: list[str] = []  # "127.0.0.1:20000" each
        self._listeners: list[asyncio.AbstractServer] = []

    async def __aenter__(self) -> SimulatedFleet:
        for index in range(len(self.engines)):
            await self.start(index)
        gc.freeze()  # what is made by now stays: nothing for the collector to walk through
        return self

    async def __aexit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.close()

    async def start(self, index: int) -> None:
        """Let engine `index` listen."""
        engine = self.engines[index]
        listener = await asyncio.get_running_loop().create_server(
            lambda: _Connection(engine), "127.0.0.1", self.port + index if self.port else 0, backlog=256
        )
        self._listeners.append(listener)
        self.addresses.append(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}")


def _length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    return int(head[at + 17 : head.find(b"\r\n", at + 17) if head.find(b"\r\n", at + 17) > 0 else len(head)])


async def _run(count: int, containers: int, port: int) -> None:
    async with SimulatedFleet(count, containers, port=port) as farm:
        print("\n".join(farm.addresses), flush=True)
        await asyncio.Event().wait()


def main(argv: Sequence[str]) -> int:
    """Run a farm until interrupted."""
    if not 2 <= len(argv) <= 3 or not all(word.isdigit() for word in argv):
        print("usage: python -m machine.swarmd.simulator.fleet ENGINES CONTAINERS [FIRST_PORT]", file=sys.stderr)
        return 2
    with contextlib.suppress(ImportError):
        import resource  # not on Windows

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(int(argv[0]), int(argv[1]), int(argv[2]) if len(argv) == 3 else 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
