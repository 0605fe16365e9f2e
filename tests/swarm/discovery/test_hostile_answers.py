"""A discovery that answers what it should not: nothing of it is expanded, believed without a look, or waited for."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm import limits
from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.discovery.ranges import addresses, addresses_in_answer
from tests.swarm.http.recording import raw_server

BOMB = "10.0.[1:250].[1:39]:2375"
URLS: list[Callable[[str], str]] = [
    lambda at: f"token://{at}/v1/T",
    lambda at: f"etcd://{at}/prod",
    lambda at: f"consul://{at}/prod",
]


def test_ranges_are_for_what_somebody_typed() -> None:
    assert addresses(["a[1:3]:1"]) == ["a1:1", "a2:1", "a3:1"]
    assert addresses_in_answer(["a:1", BOMB, "b:1", "a:1"], "x") == ["a:1", "b:1"]
    with pytest.raises(DiscoveryError, match="not an address"):
        addresses_in_answer([BOMB], "x")
    assert addresses_in_answer([], "x") == []


def test_lists_have_an_end() -> None:
    with pytest.raises(DiscoveryError, match="more than 10000"):
        addresses([BOMB, BOMB.replace("10.0", "10.1")])
    with pytest.raises(DiscoveryError, match="more than 10000"):
        addresses_in_answer([f"a{n}:1" for n in range(limits.DISCOVERY_ENGINES + 1)], "x")


@given(
    st.none() | st.booleans() | st.lists(st.none() | st.text() | st.integers() | st.dictionaries(st.text(), st.text()))
)
def test_any_answer_gives_addresses_or_an_error(value: object) -> None:
    try:
        found = addresses_in_answer(value, "x")
    except DiscoveryError:
        return
    assert all(":" in one for one in found)


def _kv(value: str) -> dict[str, str]:
    return {"value": base64.b64encode(value.encode()).decode(), "Value": base64.b64encode(value.encode()).decode()}


BODIES = [
    b"", b"null", b"5", b'"x"', b"[1]", b"[[]]", b"{}", b'{"kvs":5}', b'{"kvs":[5]}', b'{"kvs":[{"value":5}]}',
    b'{"header":5}', b'{"header":{"revision":"x"}}', b'[{"Value":5}]', b'[{"Value":"%%%"}]', b'[{"Value":"/w=="}]',
    b"[" * 5000, b"{" * 5000, b"\xff\xfe", json.dumps([_kv(BOMB)]).encode(), json.dumps({"kvs": [_kv(BOMB)]}).encode(),
    json.dumps([BOMB]).encode(), b"[" + b"[]," * 250_000 + b"[]]", b"9" * 5000,
]  # fmt: skip


async def test_an_answer_that_is_not_http_is_an_error_of_the_discovery() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"[Errno 99999999999999999999] is no number of the system\r\n\r\n")
        await writer.drain()
        writer.close()

    async with raw_server(say) as address:
        with pytest.raises(DiscoveryError, match="illegal status line"):
            await from_url(URLS[0](f"127.0.0.1:{address.port}")).nodes()


@pytest.mark.parametrize("url", range(len(URLS)))
async def test_answers_of_another_shape_are_errors_of_the_discovery(url: int) -> None:
    body = b""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with raw_server(say) as address:
        found = from_url(URLS[url](f"127.0.0.1:{address.port}"))
        for body in BODIES:
            start = time.monotonic()
            try:
                assert await found.nodes() == [], body[:80]
            except DiscoveryError as error:
                assert len(str(error)) < 1000
                assert "\n" not in str(error)
            assert time.monotonic() - start < 5


@pytest.mark.parametrize("url", range(len(URLS)))
async def test_an_endless_answer_is_cut(url: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from machine.swarm.discovery import fetch

    monkeypatch.setattr(fetch, "LIMIT", 100_000)

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"[" * 65536)
                await writer.drain()
        except OSError:
            pass

    async with raw_server(say) as address:
        with pytest.raises(DiscoveryError, match="more than 100000 bytes"):
            await from_url(URLS[url](f"127.0.0.1:{address.port}")).nodes()


async def test_words_of_a_service_are_on_one_line() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 19\r\n\r\nno\nregistered\x1b[2J x")
        writer.close()

    async with raw_server(say) as address:
        for url in URLS:
            with pytest.raises(DiscoveryError) as found:
                await from_url(url(f"127.0.0.1:{address.port}")).nodes()
            assert r"no\nregistered\x1b[2J" in str(found.value)
