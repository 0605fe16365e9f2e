"""Nothing listens beyond this computer unless a client certificate is demanded, or --insecure says so."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from machine.errors import UsageError
from machine.swarm.cli import CliContext
from machine.swarm.cli import run as act
from machine.swarm.http.address import Address, TlsConfig
from machine.swarm.http.listener import ListenerPolicy, check, listen
from machine.swarm.http.server import Server
from machine.swarm.pipeline import compose, not_implemented
from machine.swarmd.backends.registry import BackendContext, open_pipeline
from tests.swarm.http.recording import Keys, keys

BEYOND = ("0.0.0.0", "::", "192.0.2.1", "swarm.example", "127.1", "0x7f.0.0.1")


@pytest.fixture
def pair(tmp_path: Path) -> Keys:
    return keys(tmp_path)


@pytest.mark.parametrize("host", BEYOND)
@pytest.mark.parametrize("tls", ["none", "no clients"])
def test_an_open_listener_is_refused(pair: Keys, host: str, tls: str) -> None:
    trust = None if tls == "none" else pair.server._replace(verify=False)
    policy = ListenerPolicy(trust, "every engine")
    with pytest.raises(UsageError, match="without TLS") as found:
        check(Address(host, 2375), policy)
    assert "--insecure" in found.value.resolution
    check(Address(host, 2375), policy._replace(insecure=True))
    check(Address(host, 2375), policy._replace(tls=pair.server))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_computer_may(host: str) -> None:
    check(Address(host, 2375), ListenerPolicy(None, "every engine"))
    check(Address(path="/run/swarm.sock"), ListenerPolicy(None, "every engine"))


def test_a_token_service_is_open_by_design_but_not_without_tls(pair: Keys) -> None:
    check(Address("0.0.0.0", 443), ListenerPolicy(pair.server._replace(verify=False), "its tokens", open_to_all=True))
    with pytest.raises(UsageError):
        check(Address("0.0.0.0", 443), ListenerPolicy(None, "its tokens", open_to_all=True))


SWITCHES = pytest.mark.parametrize("switch", [[], ["--tls"], ["--tls=true", "--tlsverify=false"]])


def without_clients(pair: Keys, switch: list[str]) -> list[str]:
    """Flags of a server that shows a certificate and demands none."""
    return ["--tlscert", pair.server.cert, "--tlskey", pair.server.key, *switch]


@SWITCHES
def test_a_manager_refuses_it(pair: Keys, switch: list[str]) -> None:
    around = CliContext({"HOME": "/nowhere"}, print, print)
    with pytest.raises(UsageError, match="without TLS of clients"):
        act(["manage", "-H", "tcp://0.0.0.0:0", *without_clients(pair, switch), "a:1"], around)


@SWITCHES
async def test_swarmd_refuses_it(pair: Keys, switch: list[str]) -> None:
    async def swarmd(url: str) -> None:
        async with contextlib.AsyncExitStack() as stack:
            place = BackendContext(not_implemented, dict(os.environ), print)
            words = ["dockerserver", *without_clients(pair, switch), *url.split()]
            await open_pipeline([" ".join(words)], place, stack)

    for url in ("tcp://0.0.0.0:0", "tcp://[::]:0"):
        with pytest.raises(UsageError, match="without TLS of clients"):
            await swarmd(url)
    await swarmd("--insecure tcp://0.0.0.0:0")
    await swarmd("tcp://127.0.0.1:0")


def test_a_ca_alone_demands_certificates(pair: Keys) -> None:
    from machine.swarm.http.address import tls_from_flags

    told = {"--tlscacert": pair.server.ca, "--tlscert": pair.server.cert, "--tlskey": pair.server.key}
    found = tls_from_flags(told, {"HOME": "/nowhere"})
    assert isinstance(found, TlsConfig)
    assert found.verify


@pytest.mark.parametrize("flag", ["-H", ""])
async def test_a_taken_port_is_said_to_be_taken_and_what_to_type(flag: str) -> None:
    """The words are the system's: asyncio's own phrase names an address as Python writes it."""
    first, second = Server(compose([])), Server(compose([]))
    policy = ListenerPolicy(None, "every engine", address_flag=flag)
    try:
        port = (await listen(first, "tcp://127.0.0.1:0", policy, port=2375)).port
        with pytest.raises(UsageError) as caught:
            await listen(second, f"tcp://127.0.0.1:{port}", policy, port=2375)
    finally:
        await first.close()
    error = caught.value
    assert error.brief == f"cannot listen on tcp://127.0.0.1:{port}: another program has port {port}"
    assert error.details == os.strerror(errno.EADDRINUSE)
    assert f"such as {flag} tcp://127.0.0.1:".replace("  ", " ") in error.resolution
    assert error.resolution.endswith(f"sudo ss -ltnp 'sport = :{port}' shows which it is")


async def test_an_address_of_another_host_is_refused_in_the_systems_words() -> None:
    server = Server(compose([]))
    with pytest.raises(UsageError) as caught:
        await listen(server, "tcp://192.0.2.1:2375", ListenerPolicy(None, "", insecure=True), port=2375)
    assert caught.value.details == os.strerror(errno.EADDRNOTAVAIL)
    assert caught.value.resolution == "choose another address"
