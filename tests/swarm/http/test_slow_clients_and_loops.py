"""Clients that take nothing or vanish, calls that come back to where they came from, arguments in another place."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from machine.swarm.http.address import Address, dial
from machine.swarm.http.client import Client
from machine.swarm.http.request_head import BadHead, origin_form
from machine.swarm.http.server import Limits, Server
from machine.swarm.pipeline import ApiError, CallNext, Reply, Request
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.routes import Aggregate
from machine.swarmd.simulator import SimulatedEngine
from machine.swarmd.simulator.backend import as_pipeline_end
from tests.sshd import free_port
from tests.swarm.http.raw import echo
from tests.swarm.http.recording import client, front, raw_server

ASK = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
FORM = (b"content-type", b"application/x-www-form-urlencoded")


async def long_answer(request: Request) -> Reply:
    return Reply.json("x" * 250_000)


def reads_nothing(address: Address) -> socket.socket:
    """A client that asks again and again, and never takes an answer."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    found.connect((address.host, address.port))
    found.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        found.send(ASK * 60)
    return found


async def test_who_does_not_take_an_answer_keeps_nobody_out() -> None:
    """Neither for a minute: in a crowd it makes room like one that waits."""

    async with front(long_answer, limits=Limits(connections=10)) as address:
        deaf = [reads_nothing(address) for _ in range(10)]
        await asyncio.sleep(0.5)
        async with client(address) as other, asyncio.timeout(5):
            assert (await other(Request("GET", "/y"))).ok
        for one in deaf:
            one.close()


async def test_who_does_not_take_an_answer_is_dropped_after_a_time() -> None:
    server = Server(long_answer, limits=Limits(unread_seconds=0.3))
    deaf = reads_nothing(await server.listen(Address("127.0.0.1", 0)))
    try:
        async with asyncio.timeout(5):
            while not server.connections:
                await asyncio.sleep(0.01)
            while server.connections:
                await asyncio.sleep(0.01)
    finally:
        deaf.close()
        await server.close()


@pytest.mark.parametrize("headers", [[], [(b"transfer-encoding", b"chunked")]])
async def test_who_takes_a_long_answer_slowly_gets_all_of_it(headers: list[tuple[bytes, bytes]]) -> None:
    """The time counts for each piece of it, also where the engine's answer came in chunks."""
    size = 8 << 20

    async def long(request: Request) -> Reply:
        return Reply(200, [*headers, (b"content-type", b"application/json")], b"x" * size)

    async with front(long, limits=Limits(unread_seconds=4.0)) as address:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # a system with much room takes it in bursts
        sock.connect((address.host, address.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        writer.write(ASK)
        taken = 0
        async with asyncio.timeout(50):
            while taken < size:
                piece = await reader.read(1 << 16)
                assert piece, f"dropped after {taken} bytes"
                taken += len(piece)
                await asyncio.sleep(0.05)
        writer.close()


async def test_a_client_that_vanishes_from_a_silent_container_is_seen_by_the_engine() -> None:
    """A reset, not the end of stdin: with the engine saying nothing, both connections would stay for ever."""
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        await reader.read()
        ended.set()
        writer.close()

    async with raw_server(silent) as engine, client(engine) as back, front(back) as address:
        stream = await dial(address)
        attach = b"POST /containers/x/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        await stream.write(attach)
        assert (await stream.read()).startswith(b"HTTP/1.1 101")
        raw = stream.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.abort()
        await asyncio.wait_for(ended.wait(), 5)


@contextlib.asynccontextmanager
async def ring(size: int, *, aggregates: bool) -> AsyncIterator[list[Address]]:
    """Fronts, each with the next one for its engine, and the last one with the first."""
    addresses = [Address("127.0.0.1", free_port()) for _ in range(size)]
    servers = []
    async with contextlib.AsyncExitStack() as stack:
        for here, there in zip(addresses, [*addresses[1:], addresses[0]], strict=True):
            back = await stack.enter_async_context(client(there))
            servers.append(server := Server(_over(back) if aggregates else back))
            stack.push_async_callback(server.close)
            await server.listen(here)
        yield addresses
        assert sum(server.connections for server in servers) <= 4 * size


def _over(back: Client) -> CallNext:
    """An aggregate of what is behind `back` and an engine."""
    members = [AggregateEngine(back, "one"), AggregateEngine(as_pipeline_end(SimulatedEngine("a", 2)), "two")]
    return Aggregate(Members(members, lambda _: None))


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_a_chain_that_leads_back_to_itself_says_so(size: int) -> None:
    async with asyncio.timeout(10):
        async with ring(size, aggregates=False) as addresses, client(addresses[0]) as user:
            reply = await user(Request("GET", "/containers/json", ((b"via", b"1.0 a, 1.1 b"),)))
            assert reply.status == 508
            assert b"comes back to where it came from" in await reply.read()


@pytest.mark.parametrize("size", [1, 2])
async def test_so_do_calls_that_a_backend_makes_by_itself(size: int) -> None:
    async with asyncio.timeout(10):
        async with ring(size, aggregates=True) as addresses, client(addresses[0]) as user:
            reply = await user(Request("GET", "/containers/json?all=1"))
            assert len(await reply.json_body()) >= 2


async def test_calls_one_after_another_are_no_ring() -> None:
    async with front(echo) as first, client(first) as back, front(back) as second, client(second) as user:
        for _ in range(3):
            assert (await user(Request("GET", "/x"))).status == 200


@pytest.mark.parametrize(
    "kind", [b"application/x-www-form-urlencoded; charset=utf-8", b"Multipart/Form-Data; boundary=B"]
)
async def test_a_form_whose_arguments_an_engine_prefers_is_not_passed_on(kind: bytes) -> None:
    """dockerd renames to what the body says: `POST /containers/c/rename?name=asked` with `name=other` in a form."""
    asked: list[bytes] = []

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with raw_server(engine) as at, client(at) as back:
        with pytest.raises(ApiError, match="send JSON as application/json") as refused:
            await back(Request("POST", "/containers/c/rename?name=asked", ((b"content-type", kind),), b"name=other"))
        assert refused.value.status == 400
        assert asked == []
        assert (await back(Request("POST", "/containers/c/start", ((b"content-type", kind),)))).status == 204


async def test_a_form_in_chunks_neither() -> None:
    async with raw_server(lambda r, w: asyncio.sleep(0)) as engine, client(engine) as back, front(back) as address:
        head = b"POST /images/create?fromImage=good HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        stream = await dial(address)
        await stream.write(head + FORM[0] + b": " + FORM[1] + b"\r\n\r\n" + b"e\r\nfromImage=evil\r\n0\r\n\r\n")
        assert (await stream.read()).startswith(b"HTTP/1.1 400")
        stream.abort()


@pytest.mark.parametrize("query", ["a=1;name=evil&name=good", "name=%zz&name=evil", "name=%", "%4=x"])
def test_arguments_that_releases_of_go_read_differently_are_refused(query: str) -> None:
    with pytest.raises(BadHead, match="arguments"):
        origin_form("POST", f"/containers/create?{query}")
    assert origin_form("POST", "/containers/create?name=a%3Bb%25&x=%E2%82%AC+1") != ""
