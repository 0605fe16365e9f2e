"""Where a server and its client meet: addresses, unix sockets, TLS, dials that fail."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from machine.errors import CertificateError, UsageError
from machine.swarm.http.address import Address, TlsConfig, dial, parse, tls_from_flags
from machine.swarm.http.server import Server
from machine.swarm.http.stream import Stream
from machine.swarm.pipeline import Request, Unreachable
from tests.swarm.http.recording import client, front, keys, raw_server
from tests.swarm.http.test_server_and_client import echo


async def test_nobody_listening_is_unreachable_and_says_where() -> None:
    async with front(echo) as address:
        pass
    async with client(address) as ask:
        with pytest.raises(Unreachable, match=f"127.0.0.1:{address.port}.*refused"):
            await ask(Request("GET", "/info"))


async def test_tls_demands_a_certificate_of_our_ca(tmp_path: Path) -> None:
    trust = keys(tmp_path)

    async with front(echo, trust.server) as address:
        async with client(address, trust.client) as ask:
            assert (await ask(Request("GET", "/x"))).ok
        for wrong in (trust.stranger, TlsConfig(trust.client.ca)):
            async with client(address, wrong) as ask:
                with pytest.raises(Unreachable):
                    await ask(Request("GET", "/x"))
        async with client(address) as ask:
            with pytest.raises(Unreachable):
                await ask(Request("GET", "/plain"))


async def test_a_server_of_another_ca_or_name_is_not_trusted(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, theirs = keys(tmp_path / "ours"), keys(tmp_path / "theirs")

    async with front(echo, theirs.server) as address:
        async with client(address, ours.client) as ask:
            with pytest.raises(Unreachable, match="not accepted"):
                await ask(Request("GET", "/x"))
        async with client(address._replace(host="127.0.0.2"), theirs.client) as ask:
            with pytest.raises(Unreachable):
                await ask(Request("GET", "/x"))


async def test_a_unix_socket_is_made_private_taken_over_when_stale_and_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "docker.sock")

    first, second = Server(echo), Server(echo)
    await first.listen(Address(path=path))
    assert os.stat(path).st_mode & 0o777 == 0o660
    async with client(Address(path=path)) as ask:
        assert (await ask(Request("GET", "/x"))).ok
    with pytest.raises(UsageError, match="taken"):
        await second.listen(Address(path=path))
    await first.close()
    assert not os.path.exists(path)
    with socket.socket(socket.AF_UNIX) as killed:  # as after a kill -9: the file is still there
        killed.bind(path)
        killed.listen()
    await second.listen(Address(path=path))
    async with client(Address(path=path)) as ask:
        assert (await ask(Request("GET", "/x"))).ok
    await second.close()
    assert not os.path.exists(path)
    Path(path).write_text("not a socket")
    with pytest.raises(UsageError, match="not a socket"):
        await second.listen(Address(path=path))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://a:1", Address("a", 1)),
        ("tcp://:2375", Address("localhost", 2375)),
        ("tcp://", Address("localhost", 2375)),
        ("a:1", Address("a", 1)),
        ("tcp://[::1]:5", Address("::1", 5)),
        ("tcp://[::1]", Address("::1", 2375)),
        ("http://a:1/", Address("a", 1)),
        ("unix:///x/y", Address(path="/x/y")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize("text", ["npipe:////./pipe/x", "tcp://a:b", "tcp://a:99999", "unix://"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_tls_flags_mean_what_they_mean_to_docker(tmp_path: Path) -> None:
    environ = {"DOCKER_CERT_PATH": "/c"}
    assert tls_from_flags({}, environ) is None
    assert tls_from_flags({"--tlsverify": "true"}, environ) == TlsConfig("/c/ca.pem", "", "", True)
    assert tls_from_flags({"--tlsverify": "true", "--tlscert": "/a", "--tlskey": "/b"}, environ) == TlsConfig(
        "/c/ca.pem", "/a", "/b"
    )
    assert tls_from_flags({"--tls": "true", "--tlscert": "/a"}, environ) == TlsConfig(
        "/c/ca.pem", "/a", "/c/key.pem", False
    )
    with pytest.raises(CertificateError, match="CA"):
        TlsConfig(str(tmp_path / "none.pem")).for_client()


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system has no such options")
async def test_a_host_that_vanishes_is_found_out_within_a_minute() -> None:
    async def nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with raw_server(nothing) as address:
        stream = await dial(address, None, timeout=5)
        sock = stream.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle, pause, probes = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + pause * probes <= 60
        stream.abort()


async def test_a_dial_that_is_cancelled_as_it_succeeds_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    from machine.swarm.http import address

    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    task: asyncio.Future[Stream]
    shake = Stream.handshake

    async def cancelled_meanwhile(stream: Stream) -> None:
        await shake(stream)
        task.cancel()

    monkeypatch.setattr(Stream, "handshake", cancelled_meanwhile)
    task = asyncio.ensure_future(address.dial(address.Address("127.0.0.1", port), None, timeout=5))

    def close(done: asyncio.Future[Stream]) -> None:
        if not done.cancelled():
            done.result().close()

    task.add_done_callback(close)
    await asyncio.wait((task,))
    server.close()
    assert task.cancelled()
