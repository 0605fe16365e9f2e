"""Many connections that say nothing, and the one that wants something."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from machine.swarm.http.address import Address, dial
from machine.swarm.http.admission import Admission, ClientConnection, backlog_for, counted_as, limits_for
from machine.swarm.http.open_files import raise_limit
from machine.swarm.http.server import Limits
from machine.swarm.http.stream import Stream
from machine.swarm.pipeline import Reply, Request
from tests.swarm.http.raw import echo
from tests.swarm.http.recording import client, front, keys


class Room:
    """An Admission and the visitors that it dropped."""

    def __init__(self, total: int = 100, waiting: int = 6, per_address: int = 3) -> None:
        self.admission = Admission(total, waiting, per_address)
        self.dropped: list[ClientConnection] = []

    def come(self, address: str, *, heard: bool = False) -> ClientConnection:
        visitor = ClientConnection(address, lambda: self.dropped.append(visitor), lambda: heard)
        assert self.admission.arrive(visitor)
        return visitor


def test_the_oldest_of_an_address_makes_room_and_only_there() -> None:
    room = Room()
    first, second, third = (room.come("a") for _ in range(3))
    other = room.come("b")
    room.come("a")
    assert room.dropped == [first]
    room.admission.serve(second)
    room.come("a")
    assert room.dropped == [first]
    room.come("a")
    assert room.dropped == [first, third], "one that is served does not wait"
    assert other not in room.dropped


def test_one_that_never_sent_a_byte_goes_first() -> None:
    room = Room()
    speaks, silent = room.come("a", heard=True), room.come("a")
    room.come("a", heard=True)
    room.come("a")
    assert room.dropped == [silent]
    assert speaks not in room.dropped


def test_a_crowd_of_addresses_is_bounded_and_the_largest_pays() -> None:
    room = Room()
    for name in ("a", "a", "a", "b", "b", "c"):
        room.come(name)
    room.come("d")
    assert [visitor.address for visitor in room.dropped] == ["a"]
    assert room.admission.waiting_count == 6


def test_who_is_known_is_never_dropped_for_others() -> None:
    room = Room(total=8)
    known = [room.come("a") for _ in range(3)]
    for visitor in known:
        room.admission.mark_authenticated(visitor)
    for _ in range(20):
        room.come("a")
    assert not set(known) & set(room.dropped)
    for visitor in known:
        room.admission.wait(visitor)  # between two requests
    assert room.admission.waiting_count == 3


def test_when_all_are_busy_a_new_one_is_not_taken() -> None:
    room = Room(total=2, waiting=2, per_address=2)
    for _ in range(2):
        room.admission.serve(room.come("a"))
    assert not room.admission.arrive(ClientConnection("b", lambda: None, lambda: False))
    gone = ClientConnection("a", lambda: None, lambda: False)
    room.admission.leave(gone)
    assert room.admission.arrive(ClientConnection("b", lambda: None, lambda: False))


def test_few_files_mean_fewer_guests() -> None:
    assert limits_for(1_000_000) == (2048, 512)
    assert limits_for(1024) == (256, 128)
    assert limits_for(20) == (16, 8)
    assert [backlog_for(files) for files in (20, 512, 1_000_000)] == [8, 64, 1024]


def test_addresses_are_counted_as_their_owner_has_them() -> None:
    assert counted_as("2001:db8:1:2:3:4:5:6") == counted_as("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert counted_as("fe80::1%eth0") == "fe80::/64"
    assert counted_as("::ffff:192.0.2.1") == counted_as("192.0.2.1") == "192.0.2.1"
    assert counted_as("") == ""


def _silent(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_crowd_from_the_same_address_does_not_keep_a_client_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    dialled: list[Address] = []

    async def dial_and_count(address: Address, *more: Any, **named: Any) -> Stream:
        dialled.append(address)
        return await dial(address, *more, **named)

    monkeypatch.setattr("machine.swarm.http.client.dial", dial_and_count)
    trust = keys(tmp_path) if tls else None

    crowd = Limits(waiting=40, waiting_per_address=20)
    async with front(echo, trust.server if trust else None, crowd) as address:
        silent = await asyncio.to_thread(_silent, address.port, 100)
        async with client(address, trust.client if trust else None) as ask:
            reply = await asyncio.wait_for(ask(Request("GET", "/x")), 5)
            assert reply.ok
            silent += await asyncio.to_thread(_silent, address.port, 100)
            if tls:  # its kept connection is not one of those that make room
                assert (await ask(Request("GET", "/y"))).ok
                assert len(dialled) == 1
        for one in silent:
            one.close()


async def test_calls_under_way_stay_when_a_crowd_comes() -> None:
    go = asyncio.Event()

    async def slow(request: Request) -> Reply:
        await go.wait()
        return await echo(request)

    async with front(slow, None, Limits(waiting=10, waiting_per_address=5)) as address, client(address) as ask:
        call = asyncio.ensure_future(ask(Request("GET", "/x")))
        await asyncio.sleep(0.1)
        silent = await asyncio.to_thread(_silent, address.port, 60)
        await asyncio.sleep(0.1)
        go.set()
        assert (await asyncio.wait_for(call, 30)).ok
        for one in silent:
            one.close()


async def test_a_silent_handshake_has_seconds(tmp_path: Path) -> None:
    async with front(echo, keys(tmp_path).server, Limits(handshake_seconds=0.2)) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_all_that_listen_use_the_files_there_are() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        async with front(echo):
            pass
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
        assert raise_limit() > 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
