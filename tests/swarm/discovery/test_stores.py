"""Discovery and election over key-value stores: a real etcd, and consul by its documented API."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest

from machine.swarm.discovery import DiscoveryError, from_url
from machine.swarm.discovery.candidate import ElectionCandidate
from machine.swarm.discovery.consul import Consul
from machine.swarm.discovery.etcd import Etcd
from machine.swarm.discovery.keys import parse_key_path
from machine.swarm.manager.election import Election
from tests.swarm.discovery.fake_consul import FakeConsul


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("etcd") is None:
        pytest.skip("no etcd: apt-get install etcd-server")
    client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    where = tmp_path_factory.mktemp("etcd")
    args = ["--data-dir", str(where / "data"), "--listen-client-urls", client, "--advertise-client-urls", client]
    args += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    with open(where / "log", "wb") as log:
        process = subprocess.Popen(["etcd", *args], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError, urllib.error.URLError):
                if b"true" in urllib.request.urlopen(client + "/health", timeout=1).read():
                    break
            assert process.poll() is None, (where / "log").read_text()
            signal.sigtimedwait([], 0.1)
        yield client.removeprefix("http://")
    finally:
        process.terminate()
        process.wait(60)


def candidate(url: str, address: str, ttl: int) -> ElectionCandidate:
    """Who stands for election in the store at `url` as `address`."""
    store = from_url(url)
    assert isinstance(store, (Consul, Etcd))
    return store.candidate(address, ttl)


async def until(stream: AsyncIterator[Any], wanted: list[str]) -> None:
    async with asyncio.timeout(15):
        async for found in stream:
            if found == wanted:
                return


async def primary(election: Election, wanted: str) -> None:
    async with asyncio.timeout(15):
        while election.primary != wanted:
            await asyncio.sleep(0.02)


def test_places() -> None:
    assert parse_key_path("a,b:1/p/q/", 9, {}) == (("a:9", "b:1"), "p/q/docker/swarm/nodes", "p/q/docker/swarm/leader")
    assert parse_key_path("[::1]", 9, {"kv.path": "x/y"}) == (("[::1]:9",), "x/y", "docker/swarm/leader")
    with pytest.raises(DiscoveryError):
        parse_key_path("/p", 9, {})


async def join_and_leave(url: str) -> None:
    here, there = from_url(url), from_url(url)
    assert await here.nodes() == []
    stream = here.watch(60)
    await until(stream, [])
    await there.register("b:1", 30)
    await until(stream, ["b:1"])
    await there.register("a:1", 30)
    await there.register("a:1", 30)
    await until(stream, ["a:1", "b:1"])
    await from_url(url).register("b:1", 30)  # the same node, after a restart that forgot its lease
    await there.deregister("b:1")
    await until(stream, ["a:1"])
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()


async def elect(url: str) -> None:
    first, second = (Election(candidate(url, a, 2)) for a in ("m:1", "m:2"))
    one = asyncio.create_task(first.run())
    await primary(first, "m:1")
    two = asyncio.create_task(second.run())
    await primary(second, "m:1")
    await asyncio.sleep(2.5)  # longer than the ttl: the lease is kept
    assert first.leading
    assert not second.leading
    assert await second.wait_for_primary() == "m:1"
    one.cancel()
    await asyncio.gather(one, return_exceptions=True)
    await primary(second, "m:2")
    two.cancel()
    await asyncio.gather(two, return_exceptions=True)
    assert await candidate(url, "x:1", 2).leader() == ""


async def test_etcd_join_and_leave(etcd: str) -> None:
    await join_and_leave(f"etcd://{etcd}/join")


async def test_etcd_forgets_a_node_that_stops_its_heartbeat(etcd: str) -> None:
    found = from_url(f"etcd://{etcd}/ttl")
    await found.register("a:1", 1)
    stream = found.watch(60)
    await until(stream, ["a:1"])
    await until(stream, [])


async def test_etcd_election(etcd: str) -> None:
    await elect(f"etcd://{etcd}/elect")


async def test_etcd_a_leader_that_dies_is_followed(etcd: str) -> None:
    url = f"etcd://{etcd}/dies"
    dead = candidate(url, "m:1", 2)
    assert await dead.campaign()
    heir = Election(candidate(url, "m:2", 2))
    task = asyncio.create_task(heir.run())
    await primary(heir, "m:1")
    await primary(heir, "m:2")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_etcd_that_is_not_there_is_an_error_and_the_next_host_is_asked(etcd: str) -> None:
    with pytest.raises(DiscoveryError, match="cannot be reached"):
        await from_url("etcd://127.0.0.1:1").nodes()
    assert await from_url(f"etcd://127.0.0.1:1,{etcd}/none").nodes() == []


async def test_consul_join_and_leave() -> None:
    async with FakeConsul() as consul:
        await join_and_leave(f"consul://127.0.0.1:{consul.port}/p")


async def test_consul_election() -> None:
    async with FakeConsul() as consul:
        await elect(f"consul://127.0.0.1:{consul.port}/p")


async def test_etcd_a_candidate_that_lost_keeps_no_lease_that_ends(etcd: str) -> None:
    url = f"etcd://{etcd}/lost"
    leader, heir = candidate(url, "m:1", 30), candidate(url, "m:2", 1)
    assert await leader.campaign()
    assert not await heir.campaign()
    await asyncio.sleep(3)  # longer than its ttl
    await leader.resign()
    assert await heir.campaign()
    assert await heir.renew()


async def test_consul_a_candidate_whose_session_has_ended_takes_another() -> None:
    async with FakeConsul() as consul:
        found = candidate(f"consul://127.0.0.1:{consul.port}/p", "m:1", 10)
        other = candidate(f"consul://127.0.0.1:{consul.port}/p", "m:2", 10)
        assert await other.campaign()
        assert not await found.campaign()
        for session in list(consul.sessions):
            await consul.destroy(session)
        with contextlib.suppress(DiscoveryError):
            await found.campaign()
        assert await found.campaign()


async def test_consul_a_node_whose_key_was_deleted_is_registered_again() -> None:
    async with FakeConsul() as consul:
        store = from_url(f"consul://127.0.0.1:{consul.port}/p")
        await store.register("a:1", 30)
        await from_url(f"consul://127.0.0.1:{consul.port}/p").deregister("a:1")
        assert await store.nodes() == []
        await store.register("a:1", 30)
        assert await store.nodes() == ["a:1"]
        assert len(consul.sessions) == 1


async def test_consul_that_refuses_a_withdrawal_is_an_error() -> None:
    async with FakeConsul() as consul:
        consul.forbidden = True
        with pytest.raises(DiscoveryError, match="403"):
            await from_url(f"consul://127.0.0.1:{consul.port}/p").deregister("a:1")
