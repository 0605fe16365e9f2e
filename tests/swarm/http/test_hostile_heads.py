"""Heads of requests that two readers would read differently, and heads that are too much."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from machine.swarm import limits
from machine.swarm.http.request_head import BadHead, check_framing, origin_form
from machine.swarm.http.server import Limits
from machine.swarm.http.stream import Stream
from machine.swarm.pipeline import Reply, Request
from tests.swarm.http.raw import echo, say, statuses
from tests.swarm.http.recording import front

HEAD = b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(HEAD + CHUNKED + b"Content-Length: 5\r\n", 400, id="both lengths"),
        pytest.param(HEAD + b"Content-Length: 0\r\n" + CHUNKED, 400, id="both lengths, none and chunks"),
        pytest.param(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n", 400, id="two lengths"),
        pytest.param(HEAD + b"Content-Length: 5, 6\r\n", 400, id="a list of lengths"),
        pytest.param(HEAD + b"Content-Length: -1\r\n", 400, id="a negative length"),
        pytest.param(HEAD + b"Content-Length: +5\r\n", 400, id="a signed length"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n", 400, id="a length of 5,000 digits"),
        pytest.param(HEAD + b"Content-Length : 5\r\n", 400, id="a space before the colon"),
        pytest.param(HEAD + b"Transfer-Encoding: gzip, chunked\r\n", 501, id="two codings"),
        pytest.param(HEAD + CHUNKED + CHUNKED, 501, id="the coding twice"),
        pytest.param(HEAD.replace(b"1.1", b"1.0") + CHUNKED, 400, id="chunks in HTTP/1.0"),
        pytest.param(HEAD + b"Host: other\r\n", 400, id="two hosts"),
        pytest.param(HEAD.replace(b"Host: localhost\r\n", b""), 400, id="no host"),
        pytest.param(HEAD + b"X: a\0b\r\n", 400, id="a zero byte"),
        pytest.param(HEAD + b"a:1\r\n" * (limits.CLIENT_HEADERS + 1), 431, id="many headers"),
        pytest.param(HEAD + b"X: " + b"y" * (2 * limits.CLIENT_HEAD) + b"\r\n", 431, id="a huge header"),
        pytest.param(b"GET " + b"/x" * limits.CLIENT_HEAD + b" HTTP/1.1\r\n", 431, id="a huge target"),
        pytest.param(b"CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: x\r\n", 405, id="a proxy"),
        pytest.param(b"GET 10.0.0.1:22 HTTP/1.1\r\nHost: x\r\n", 400, id="authority form"),
        pytest.param(b"GET * HTTP/1.1\r\nHost: x\r\n", 400, id="asterisk form"),
        pytest.param(b"GET /a/../info HTTP/1.1\r\nHost: x\r\n", 400, id="dots"),
        pytest.param(b"GET /a/%2e%2E/info HTTP/1.1\r\nHost: x\r\n", 400, id="escaped dots"),
        pytest.param(b"GET /info%00 HTTP/1.1\r\nHost: x\r\n", 400, id="an escaped zero byte"),
        pytest.param(b"GET /info%zz HTTP/1.1\r\nHost: x\r\n", 400, id="a bad escape"),
        pytest.param(b"GET /%ff HTTP/1.1\r\nHost: x\r\n", 400, id="no UTF-8"),
        pytest.param(b"GET /v1.43.0/info HTTP/1.1\r\nHost: x\r\n", 400, id="an odd version"),
        pytest.param(b"GET /v1." + b"9" * 5000 + b"/info HTTP/1.1\r\nHost: x\r\n", 400, id="a version of 5,000 digits"),
        pytest.param(b"GET /info#x HTTP/1.1\r\nHost: x\r\n", 400, id="a fragment"),
        pytest.param(b"GET /info\r\nHost: x\r\n", 400, id="no version of HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400, id="TLS to a plain port"),
    ],
)
async def test_what_is_no_clear_request_gets_one_answer_and_the_end(head: bytes, status: int) -> None:
    asked: list[Request] = []

    async def count(request: Request) -> Reply:
        asked.append(request)
        return Reply()

    async with front(count) as address:
        second = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await say(address, head + b"\r\n", b"5\r\nhello\r\n0\r\n\r\n", second)
        assert statuses(answer) == [status], answer[:300]
        assert b"connection: close" in answer.lower()
        assert asked == []


async def test_a_bad_second_request_is_answered_too() -> None:
    async with front(echo) as address:
        bad = HEAD + CHUNKED + b"Content-Length: 5\r\n\r\n"
        answer = await say(address, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + bad)
        assert statuses(answer) == [200, 400]


async def test_unusual_heads_that_are_clear_are_read_as_they_stand() -> None:
    async with front(echo) as address:
        same = HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\nX: folded\r\n over lines\r\n\r\nhello"
        assert b'"size":5' in await say(address, same)
        chunks = b"5;name=value\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
        assert b'"size":5' in await say(address, HEAD + CHUNKED + b"\r\n", chunks)
        absolute = b"GET http://elsewhere.example:1/v1.43/info?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert b'"target":"/v1.43/info?x=1"' in await say(address, absolute)
        piped = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(20))
        answer = await say(address, piped)
        assert [b'"/%d"' % number in answer for number in range(20)] == [True] * 20
        options = await say(address, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        assert statuses(options) == [200]


async def test_an_upgrade_that_nobody_takes_is_an_ordinary_call() -> None:
    async with front(echo) as address:
        for name in (b"h2c", b"websocket", b"tcp", b"x" * 5000):
            head = b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + name + b"\r\n\r\n"
            assert statuses(await say(address, head + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))[0] == 200


async def test_what_is_gathered_has_an_end_whatever_the_head_says() -> None:
    async with front(echo, limits=Limits(body=1000)) as address:
        endless = HEAD + CHUNKED + b"\r\n" + b"400\r\n" + b"x" * 0x400 + b"\r\n"
        assert statuses(await say(address, endless)) == [413]
        declared = HEAD + b"Content-Length: 1001\r\n\r\n"
        assert statuses(await say(address, declared)) == [413]
        assert statuses(await say(address, HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)) == [200]


@pytest.mark.parametrize("pause", [0.03, None])
async def test_who_sends_slowly_is_dropped_in_the_end(pause: float | None) -> None:
    """Byte by byte, or not at all: the seconds are for the whole head, handshake or small body."""
    quick = Limits(head_seconds=0.3, first_seconds=0.3, idle_seconds=60)

    async def drops(pieces: bytes) -> None:
        from machine.swarm.http.address import dial

        async with front(echo, limits=quick) as address:
            stream = await dial(address)
            await stream.write(pieces[:1])
            if pause:
                import asyncio

                for byte in pieces[1:]:
                    if stream.over:
                        break
                    await stream.write(bytes((byte,)))
                    await asyncio.sleep(pause)
            assert statuses(await _rest(stream)) in ([], [400])
            stream.abort()

    async def _rest(stream: Stream) -> bytes:
        got = b""
        try:
            while data := await stream.read():
                got += data
        except OSError:
            pass
        return got

    await drops(b"GET /" + b"a" * 200)
    await drops(HEAD + b"Content-Length: 60\r\n\r\n" + b"b" * 59)


async def test_a_body_that_is_wanted_whole_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)

    async def never() -> AsyncIterator[bytes]:
        import asyncio

        yield b"{"
        await asyncio.sleep(3600)

    from machine.swarm.pipeline import ApiError

    with pytest.raises(ApiError) as found:
        await Request("POST", "/x", (), never()).with_body_read()
    assert found.value.status == 408


def test_framing_and_targets_are_decided_without_a_socket() -> None:
    check_framing(b"1.1", ((b"content-length", b"5"),))
    check_framing(b"1.1", ((b"transfer-encoding", b"chunked"),))
    with pytest.raises(BadHead):
        check_framing(b"1.0", ((b"transfer-encoding", b"chunked"),))
    assert origin_form("GET", "HTTP://a?x=1") == "/?x=1"
    assert origin_form("GET", "/v1/clusters/T") == "/v1/clusters/T"
    assert origin_form("GET", "/containers/node%2Fweb/json") == "/containers/node%2Fweb/json"
    for target in ("", "a", "/.", "/..", "/%2e", "/a/%2E%2e", "/\x01", "/v1.2.3", "/v1./x", "/v.1/x", "/%761.2.3/x"):
        with pytest.raises(BadHead):
            origin_form("GET", target)
