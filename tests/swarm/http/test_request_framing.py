"""What an engine sends in chunks goes on in chunks: docker-py takes any other body of a build for an error at once."""

from __future__ import annotations

import pytest

from machine.swarm.pipeline import Reply, Request
from tests.swarm.http.recording import front
from tests.swarm.http.test_server_and_client import talk

LINES = b'{"stream":"one"}\r\n{"stream":"two"}\r\n'
CHUNKED = (b"transfer-encoding", b"chunked")
GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(reply: Reply, request: bytes = GET) -> bytes:
    """What a client reads when the chain's end gives `reply`."""

    async def end(_: Request) -> Reply:
        return reply

    async with front(end) as address:
        return await talk(address, request)


async def test_a_short_progress_comes_in_chunks() -> None:
    got = await answer(Reply(200, (CHUNKED,), LINES))
    assert b"content-length" not in got.lower()
    assert got.lower().count(b"transfer-encoding: chunked") == 1
    assert got.endswith(b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(LINES), LINES))


async def test_an_empty_one_too() -> None:
    assert (await answer(Reply(200, (CHUNKED,), b""))).endswith(b"\r\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "reply",
    [Reply(200, (), b"{}"), Reply(404, (CHUNKED,), b"{}"), Reply(200, ((b"content-length", b"2"),), b"{}")],
)
async def test_other_bodies_have_a_length(reply: Reply) -> None:
    got = (await answer(reply)).lower()
    assert b"content-length: 2" in got
    assert b"transfer-encoding" not in got


async def test_there_is_no_body_where_none_belongs() -> None:
    assert (await answer(Reply(204, (CHUNKED,), b""))).endswith(b"\r\n\r\n")
    assert (await answer(Reply(200, (CHUNKED,), b""), GET.replace(b"GET", b"HEAD"))).endswith(b"\r\n\r\n")


async def test_a_client_that_knows_no_chunks_gets_none() -> None:
    got = await answer(Reply(200, (CHUNKED,), LINES), b"GET /x HTTP/1.0\r\nHost: x\r\n\r\n")
    assert got.endswith(b"\r\n\r\n" + LINES)
