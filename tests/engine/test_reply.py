from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.engine.response import NotHttp, Reply

LENGTH = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
TO_THE_END = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello"


@given(st.sampled_from([LENGTH, CHUNKS, TO_THE_END]), st.lists(st.integers(1, 9), min_size=1))
def test_the_answer_is_the_same_however_it_is_cut(whole: bytes, sizes: list[int]) -> None:
    reply, at, turn = Reply(), 0, 0
    while at < len(whole) and not reply.done:
        size = sizes[turn % len(sizes)]
        reply.feed(whole[at : at + size])
        at, turn = at + size, turn + 1
    if not reply.done:
        reply.feed(b"")
    assert (reply.status, reply.body, reply.done) == (200, b"hello", True)


def test_header_names_are_in_lower_case() -> None:
    reply = Reply()
    reply.feed(LENGTH)
    assert reply.headers["api-version"] == "1.41"


def test_no_content_has_no_body() -> None:
    reply = Reply()
    reply.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (reply.status, reply.body, reply.done) == (204, b"", True)


@pytest.mark.parametrize(
    "junk",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20000,
    ],
)
def test_what_is_not_http_is_refused(junk: bytes) -> None:
    with pytest.raises(NotHttp):
        Reply().feed(junk)


@pytest.mark.parametrize("part", [b"", b"HTT", LENGTH[:-1], CHUNKS[:-9], b"HTTP/1.1 200 OK\r\nA: b"])
def test_an_answer_cut_short_is_refused(part: bytes) -> None:
    reply = Reply()
    if part:
        reply.feed(part)
    with pytest.raises(NotHttp):
        reply.feed(b"")


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    reply = Reply()
    try:
        reply.feed(data)
        reply.feed(b"")
    except NotHttp:
        return
    assert reply.done
