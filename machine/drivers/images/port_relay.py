"""Relays inside a machine: what is open for IPv6 only is led to from a port of 127.0.0.1, for the NAT carries IPv4.

A part of the port reporter, loaded when it is needed for the first time. Only Python's own library, 3.7 or newer.
"""

from __future__ import annotations

import asyncio
import collections
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MOST_RELAYS = 64
MOST_PEERS = (
    256  # connections of one relay, or senders of UDP; the oldest sender makes room, a connection waits for none
)
BLOCK = 65536
HERE, TARGET = "127.0.0.1", "::1"


class Relays:
    """The relays of one machine, in a thread of their own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.open: dict[tuple[str, int], tuple[Any, int]] = {}  # (protocol, port) -> (server, its port at HERE)
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def follow(self, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Have relays to these (protocol, port) and no others; return the port of 127.0.0.1 of each that there is."""
        ports = sorted(wanted)[:MOST_RELAYS]
        return asyncio.run_coroutine_threadsafe(self._follow(ports), self.loop).result(30)

    async def _follow(self, ports: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        for port in [port for port in self.open if port not in ports]:
            self.open.pop(port)[0].close()
        for port in ports:
            if port not in self.open:
                try:
                    self.open[port] = await (tcp(port[1]) if port[0] == "tcp" else udp(port[1]))
                except OSError:
                    continue  # it is tried again with the next change
        return {port: own for port, (_, own) in self.open.items()}


async def tcp(port: int) -> tuple[Any, int]:
    """Return a server of TCP whose connections lead to `port` of ::1, and its own port."""
    count = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if count[0] >= MOST_PEERS:
            writer.close()
            return
        count[0] += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(TARGET, port)
            try:
                await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
            finally:
                far_writer.close()
        except OSError:
            pass  # either side has gone
        finally:
            count[0] -= 1
            writer.close()

    server = await asyncio.start_server(serve, HERE, 0)
    return server, (server.sockets or [])[0].getsockname()[1]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end of what is sent, and pass that end on."""
    while True:
        block = await reader.read(BLOCK)
        if not block:
            break
        writer.write(block)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def udp(port: int) -> tuple[Any, int]:
    """Return a server of UDP that passes datagrams to `port` of ::1 and answers back, and its own port."""
    loop = asyncio.get_event_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(port), local_addr=(HERE, 0))
    return transport, transport.get_extra_info("sockname")[1]


class Datagrams(asyncio.DatagramProtocol):
    """The near side: each sender has a socket of its own at the far side, by which answers find back."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.transport: Any = None
        self.peers: collections.OrderedDict[Any, asyncio.Future[Any]] = collections.OrderedDict()
        self.sending: set[asyncio.Future[None]] = set()  # a task that nobody refers to may be forgotten

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if len(self.sending) < MOST_PEERS:  # more is lost, as it is with UDP
            task = asyncio.ensure_future(self.send(data, addr))
            self.sending.add(task)
            task.add_done_callback(self.sending.discard)

    async def send(self, data: bytes, sender: Any) -> None:
        loop = asyncio.get_event_loop()
        if sender not in self.peers:
            while len(self.peers) >= MOST_PEERS:
                end(self.peers.popitem(last=False)[1])
            made = loop.create_datagram_endpoint(
                lambda: Answers(self.transport, sender), remote_addr=(TARGET, self.port)
            )
            self.peers[sender] = asyncio.ensure_future(made)
        self.peers.move_to_end(sender)
        try:
            transport, _ = await asyncio.shield(self.peers[sender])
            transport.sendto(data)
        except OSError:
            self.peers.pop(sender, None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        for peer in self.peers.values():
            end(peer)
        self.peers.clear()


def end(peer: asyncio.Future[Any]) -> None:
    """Close a socket of the far side, also one that is only being made."""
    peer.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result()[0].close())


class Answers(asyncio.DatagramProtocol):
    """The far side of one sender."""

    def __init__(self, near: Any, sender: Any) -> None:
        self.near, self.sender = near, sender

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        self.near.sendto(data, self.sender)
