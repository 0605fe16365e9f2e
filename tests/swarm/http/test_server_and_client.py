"""The front and the back against each other over real sockets: framing, streams, hijacks, half-close, TLS, limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machine.swarm.http.address import Address, TlsConfig, dial
from machine.swarm.http.headers import forwardable_headers
from machine.swarm.http.server import Limits
from machine.swarm.pipeline import ApiError, Reply, Request, Unreachable
from tests.swarm.http.recording import client, front, keys, raw_server


async def echo(request: Request) -> Reply:
    """Says back what it was asked."""
    if request.path == "/refuse":
        raise ApiError(409, "no")
    if request.path == "/stream":
        return Reply(200, (), _count(int(request.query_value("n", "3"))))
    if request.path == "/break":
        return Reply(200, (), _broken())
    body = await request.with_body_read(1 << 30)
    assert isinstance(body.body, bytes)
    return Reply.json({"method": body.method, "target": body.target, "size": len(body.body)})


async def _count(n: int) -> AsyncIterator[bytes]:
    for number in range(n):
        yield b"%d\n" % number


async def _broken() -> AsyncIterator[bytes]:
    yield b"half"
    raise ApiError(502, "the engine went away")


async def _pieces(size: int, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield os.urandom(size)


async def talk(address: Address, text: bytes, trust: TlsConfig | None = None) -> bytes:
    stream = await dial(address, trust.for_client() if trust else None)
    await stream.write(text)
    await stream.end()
    got = b""
    while data := await stream.read():
        got += data
    stream.close()
    return got


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 70_000, b"z" * 3_000_000])
async def test_bodies_of_all_sizes_arrive(body: bytes) -> None:
    async with front(echo) as address, client(address) as ask:
        for _ in range(3):
            reply = await ask(Request("POST", "/v1.43/build?x=1", (), body))
            assert await reply.json_body() == {"method": "POST", "target": "/v1.43/build?x=1", "size": len(body)}


async def test_one_connection_carries_many_calls() -> None:
    seen = set()

    async def who(request: Request) -> Reply:
        seen.add(asyncio.current_task())
        return Reply(200, (), b"x" * 200_000 if request.path == "/big" else b"ok")

    async with front(who) as address, client(address) as ask:
        for path in ("/a", "/big", "/b", "/big"):
            await (await ask(Request("GET", path))).read()
    assert len(seen) == 1


async def test_a_streamed_body_passes_both_ways_in_chunks() -> None:
    async with front(echo) as address, client(address) as ask:
        reply = await ask(Request("POST", "/build", (), _pieces(100_000, 50)))
        assert (await reply.json_body())["size"] == 5_000_000
        reply = await ask(Request("GET", "/stream?n=1000"))
        assert (await reply.read()).split() == [b"%d" % n for n in range(1000)]


async def test_a_slow_reader_holds_the_sender_back() -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 65536

    async with front(lambda _: _reply(endless())) as address:
        stream = await dial(address)
        await stream.write(b"GET /logs HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.5)
        first = made
        await asyncio.sleep(0.5)
        assert made == first < 400, "buffers fill up and then the sender waits"
        async with client(address) as other:
            reply = await asyncio.wait_for(other(Request("GET", "/other")), 5)
            await reply.close()
        stream.close()
        await asyncio.sleep(0.1)


async def _reply(body: AsyncIterator[bytes]) -> Reply:
    return Reply(200, (), body)


async def test_a_client_that_goes_away_ends_the_stream_it_was_reading() -> None:
    ended = asyncio.Event()

    async def quiet() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with front(lambda _: _reply(quiet())) as address:
        stream = await dial(address)
        await stream.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"first" not in await stream.read():
            pass
        stream.close()
        await asyncio.wait_for(ended.wait(), 5)


async def test_errors_are_worded_as_the_engine_words_them() -> None:
    async with front(echo) as address, client(address) as ask:
        reply = await ask(Request("GET", "/refuse"))
        assert (reply.status, await reply.read()) == (409, b'{"message":"no"}')
        broken = await ask(Request("GET", "/break"))
        with pytest.raises(Unreachable, match="ended its answer early"):
            await broken.read()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\n\r\n", b"400"),  # no Host
        (b"GET /x HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400"),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
    ],
)
async def test_what_is_no_request_gets_an_error_and_the_connection_is_closed(text: bytes, status: bytes) -> None:
    async with front(echo) as address:
        got = await talk(address, text)
        assert got.startswith(b"HTTP/1.1 " + status), got[:200]


async def test_requests_are_read_whole_byte_by_byte_and_one_after_another() -> None:
    one = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    two = b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"

    async with front(echo) as address:
        whole = await talk(address, one + two + one)
        assert whole.count(b"HTTP/1.1 200") == 3
        stream = await dial(address)
        for index in range(len(one + two)):
            await stream.write((one + two)[index : index + 1])
            await asyncio.sleep(0)
        await stream.end()
        got = b""
        while data := await stream.read(7):
            got += data
        stream.close()
        assert got.count(b'"size":3') == 2


async def test_a_client_that_never_ends_its_head_is_dropped() -> None:
    async with front(echo, limits=Limits(head_seconds=0.3)) as address:
        stream = await dial(address)
        await stream.write(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(stream.read(), 5) == b""


async def test_an_unread_body_does_not_spoil_the_next_call() -> None:
    async def lazy(request: Request) -> Reply:
        return Reply.error(400, "not even looked at") if request.path == "/lazy" else Reply(200, (), b"fine")

    async with front(lazy) as address, client(address) as ask:
        for count in (2, 100):  # 200 kB are thrown away, 10 MB cost the connection
            reply = await ask(Request("POST", "/lazy", (), _pieces(100_000, count)))
            assert reply.status == 400
            assert await reply.read()
            assert await (await ask(Request("GET", "/next"))).read() == b"fine"


async def test_head_keeps_the_length_and_has_no_body() -> None:
    async with front(lambda _: _value(Reply(200, ((b"content-length", b"12345"),), b""))) as address:
        got = await talk(address, b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"content-length: 12345\r\n" in got.lower()
        assert got.endswith(b"\r\n\r\n")


async def _value(reply: Reply) -> Reply:
    return reply


async def _cat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An engine's attach: answers the head, sends back what it gets until its stdin ends, then says so."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b"pgrade" in head:
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello ")
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nhello ")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b" end of stdin")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("form", ["101", "200"])
async def test_attach_carries_raw_bytes_and_half_close_in_both_forms(form: str, secure: bool, tmp_path: Path) -> None:
    """client -> front (TLS or not) -> back -> engine: the end of stdin arrives, and output goes on after it."""
    trust = keys(tmp_path)
    extra = b"Connection: Upgrade\r\nUpgrade: tcp\r\n" if form == "101" else b""
    noise = os.urandom(700_000)

    async with (
        raw_server(_cat) as engine,
        client(engine) as back,
        front(back, trust.server if secure else None) as address,
    ):
        stream = await dial(address, trust.client.for_client() if secure else None)
        await stream.write(b"POST /containers/x/attach?stdin=1 HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\nearly ")

        async def send() -> None:
            await stream.write(noise)
            await stream.end()

        sending = asyncio.ensure_future(send())
        got = b""
        while data := await stream.read():
            got += data
        await sending
        stream.close()
        head, _, body = got.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + form.encode())
        assert b"chunked" not in head
        assert body == b"hello early " + noise + b" end of stdin"


async def test_a_refused_upgrade_is_an_ordinary_answer() -> None:
    async def no(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\n{"message":"no"}')
        await writer.drain()

    async with raw_server(no) as engine, client(engine) as back, front(back) as address, client(address) as ask:
        headers = ((b"connection", b"Upgrade"), (b"upgrade", b"tcp"))
        reply = await ask(Request("POST", "/containers/x/attach", headers))
        assert (reply.status, await reply.read()) == (404, b'{"message":"no"}')


async def test_a_kept_connection_that_the_engine_dropped_costs_a_get_nothing() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read(1)  # the next request comes, and gets nothing but a closed connection
        writer.close()

    async with raw_server(once) as engine, client(engine) as ask:
        for _ in range(4):
            assert await (await ask(Request("GET", "/x"))).read() == b"ok"
        with pytest.raises(Unreachable):
            await ask(Request("POST", "/x", (), b"not sent twice"))


async def test_what_an_engine_sends_behind_an_answer_is_not_taken_for_the_next_one() -> None:
    connections = 0

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"
            )
            await writer.drain()
        writer.close()

    async with raw_server(twice) as engine, client(engine) as ask:
        for _ in range(3):
            assert await (await ask(Request("GET", "/x"))).read() == b"ok"
    assert connections == 3


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", b"\x15\x03\x01\0\x02"],
)
async def test_an_engine_that_talks_nonsense_is_unreachable(answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with raw_server(say) as engine, client(engine) as ask:
        with pytest.raises(Unreachable):
            await (await ask(Request("GET", "/info"))).read()


async def test_headers_of_one_hop_stay_there() -> None:
    given = (
        (b"connection", b"close, X-Mine"),
        (b"x-mine", b"1"),
        (b"host", b"h"),
        (b"te", b"x"),
        (b"content-length", b"5"),
    )
    assert forwardable_headers((*given, (b"x-registry-auth", b"secret"))) == [(b"x-registry-auth", b"secret")]
    seen: list[dict[bytes, bytes]] = []

    async def look(request: Request) -> Reply:
        seen.append(dict(request.headers))
        return Reply(200, ((b"api-version", b"1.44"), (b"transfer-encoding", b"chunked"), (b"connection", b"x")), b"ok")

    async with front(look) as engine, client(engine) as back, front(back) as address, client(address) as ask:
        reply = await ask(Request("POST", "/x", ((b"x-a", b"1"), (b"expect", b"100-continue")), b"12345"))
        assert await reply.read() == b"ok"
        assert {name for name, _ in reply.headers} == {b"api-version", b"transfer-encoding"}, "chunks stay chunks"
    host = f"127.0.0.1:{engine.port}".encode()
    assert [{n: v for n, v in one.items() if n != b"via"} for one in seen] == [
        {b"host": host, b"x-a": b"1", b"content-length": b"5"}
    ]


async def test_a_client_that_waits_for_100_gets_it_before_its_body_is_read() -> None:
    async with front(echo) as address:
        stream = await dial(address)
        await stream.write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await stream.read()).startswith(b"HTTP/1.1 100")
        await stream.write(b"abc")
        assert b'"size":3' in await stream.read()
        stream.close()


async def test_json_of_the_request_is_checked() -> None:
    assert Request.json("POST", "/x", {"a": 1}).json_body() == {"a": 1}
    with pytest.raises(ApiError, match="not JSON"):
        Request("POST", "/x", (), b"{").json_body()
    with pytest.raises(ApiError, match="not JSON"):
        Request("POST", "/x", (), b"[" * 100_000).json_body()
    assert json.loads(await Reply.error(404, "x").read()) == {"message": "x"}
