"""Words of others in a log, on a terminal and in a header."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.printable import in_line
from machine.swarm.http.headers import forwardable_headers, wire_head
from machine.swarm.http.server import Server
from machine.swarm.pipeline import ApiError, Reply, Request
from machine.swarm.printable import is_printable, log_entry, printable, printable_log, traceback_of
from tests.swarm.http.raw import say
from tests.swarm.http.recording import front

FORGED = "no\n2026-01-01 registered evil:1\r\n\x1b[2J\x1b]0;x\x07\u202egnp.exe\u2028x\x9b1m"


@given(st.text(st.characters()))
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not any((sign < " " and sign != "\t") or "\x7f" <= sign < "\xa0" for sign in shown)
    shown.encode()
    assert printable(shown) == shown, "twice is as good as once"


def test_what_the_swarm_escapes_the_program_escapes_alike() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    escaped = [sign for sign in every if printable(sign) != sign]
    assert [printable(sign) for sign in escaped] == [in_line(sign) for sign in escaped]


def test_an_entry_is_one_line_and_not_endless() -> None:
    assert log_entry(FORGED) == (r"no\n2026-01-01 registered evil:1\r\n\x1b[2J\x1b]0;x\x07\u202egnp.exe\u2028x\x9b1m")
    assert len(log_entry("x" * 10_000_000)) < 30_000


def test_a_traceback_keeps_its_lines_but_not_those_of_its_message() -> None:
    try:
        int(FORGED)
    except ValueError as error:
        shown = log_entry(traceback_of(ValueError(FORGED).with_traceback(error.__traceback__)))
    lines = shown.splitlines()
    assert lines[0].startswith("Traceback ")
    assert lines[-1].startswith("ValueError: no\\n2026")
    assert not any(line.startswith("2026") for line in lines)


async def test_what_an_engine_says_reaches_the_log_of_a_front_on_one_line() -> None:
    said: list[str] = []

    async def broken(request: Request) -> Reply:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"
            raise ApiError(502, FORGED)

        if request.path == "/bug":
            raise ValueError(FORGED)
        return Reply(200, (), pieces())

    from machine.swarm.http.address import Address

    server = Server(broken, log=said.append)
    try:
        address = await server.listen(Address("127.0.0.1", 0))
        for path in (b"/x", b"/bug"):
            head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            await say(address, head, end=False)
    finally:
        await server.close()
    assert said
    assert not any(line.startswith("2026") for text in said for line in text.splitlines())
    assert not any("\x1b" in text for text in said)


@pytest.mark.parametrize("hijacked", [False, True])
async def test_what_an_engine_says_in_a_header_stays_in_that_header(hijacked: bool) -> None:
    evil = (
        (b"ostype", b"linux\r\nX-Forged: 1\r\n\r\nHTTP/1.1 200 OK"),
        (b"bad name:", b"1"),
        (b"", b"1"),
        (b"a", b"\0b "),
    )
    assert forwardable_headers(evil) == [(b"ostype", b"linux X-Forged: 1 HTTP/1.1 200 OK"), (b"a", b"b")]
    if hijacked:
        assert wire_head(b"HTTP/1.1 101 X", evil[:1]).count(b"\r\n") == 3
        return

    async def ping(_: Request) -> Reply:
        return Reply(200, evil, b"OK")

    async with front(ping) as address:
        answer = await say(address, b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert body == b"OK"
        assert b"\r\nX-Forged" not in head


def test_the_managers_log_is_cleaned_once_for_all() -> None:
    said: list[str] = []
    printable_log(said.append)(FORGED)
    assert said == [log_entry(FORGED)]


def test_what_is_printable_by_its_kind_is_so_sign_by_sign() -> None:
    """The way that is quick must let nothing through that the slow one would not."""
    every = "".join(filter(str.isprintable, map(chr, range(sys.maxunicode + 1))))
    assert printable(every) == every
    assert printable(f"{every}\a") == every + r"\x07"
    assert not is_printable("a\nb")
