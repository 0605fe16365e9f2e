"""The token service over real connections, and what its client makes of its answers."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import ssl
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machine.errors import MachineError
from machine.swarm.cli import CliContext, help_text, run
from machine.swarm.discovery import FORMS, DiscoveryError, from_url
from machine.swarm.discovery import registry as limits
from machine.swarm.discovery.fetch import fetch
from machine.swarm.discovery.registry import Registry, UnknownToken
from machine.swarm.discovery.service import service
from machine.swarm.discovery.token import create
from machine.swarm.http.address import Address
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Reply, Request, compose


class Clock:
    """Time that only goes on when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(tmp_path: Path, clock: Clock) -> Registry:
    return Registry(str(tmp_path / "swarm" / "registry.db"), now=clock)


@pytest.fixture
async def base(registry: Registry) -> AsyncIterator[str]:
    """The URL of a service on loopback."""
    server = Server(compose([service(registry)]))
    where = await server.listen(Address("127.0.0.1", 0))
    yield f"http://127.0.0.1:{where.port}/v1"
    await server.close()


async def test_create_register_list_expire(base: str, clock: Clock) -> None:
    token = await create(base)
    assert len(token) == 32
    assert int(token, 16) >= 0
    found = from_url(f"token://{base.removeprefix('http://')}/{token}", environ={})
    assert await found.nodes() == []
    await found.register("10.0.0.2:2376", 60)
    await found.register("10.0.0.1:2376", 60)
    await found.register("10.0.0.1:2376", 180)
    assert await found.nodes() == ["10.0.0.1:2376", "10.0.0.2:2376"]
    clock.now += 61
    assert await found.nodes() == ["10.0.0.1:2376"]
    await found.deregister("10.0.0.1:2376")
    await found.deregister("10.0.0.1:2376")
    assert await found.nodes() == []


async def test_the_protocol_as_old_clients_speak_it(base: str) -> None:
    made = await fetch("POST", f"{base}/clusters")
    assert made.status == 200
    assert made.headers["content-type"].startswith("text/plain")
    url = f"{base}/clusters/{made.body.decode()}"
    header = {"content-type": "application/json"}
    assert (await fetch("POST", f"{url}?ttl=180", b"10.0.0.1:2375", headers=header)).status == 200
    assert (await fetch("POST", f"{url}?ttl=180", b'"10.0.0.2:2375"', headers=header)).status == 200
    listed = await fetch("GET", url)
    assert listed.status == 200
    assert json.loads(listed.body) == ["10.0.0.1:2375", "10.0.0.2:2375"]
    plain = url.replace("/v1/", "/")
    assert (await fetch("GET", plain)).body == listed.body


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/clusters/0123456789abcdef", b"", 404),
        ("POST", "/clusters/0123456789abcdef?ttl=9", b"a:1", 404),
        ("DELETE", "/clusters/0123456789abcdef?address=a:1", b"", 404),
        ("GET", "/", b"", 200),
        ("GET", "/other", b"", 404),
        ("GET", "/clusters", b"", 405),
        ("POST", "/clusters/TOKEN?ttl=9", b"no address", 400),
        ("POST", "/clusters/TOKEN?ttl=0", b"a:1", 400),
        ("POST", "/clusters/TOKEN?ttl=x", b"a:1", 400),
        ("POST", "/clusters/TOKEN?ttl=99999999999999", b"a:1", 400),
        ("POST", "/clusters/TOKEN?ttl=9", b"a:1" * 5000, 413),
        ("POST", "/clusters/TOKEN?ttl=9", b"\xff\xfe", 400),
        ("PUT", "/clusters/TOKEN", b"", 405),
    ],
)
async def test_what_is_refused(base: str, method: str, path: str, body: bytes, status: int) -> None:
    token = await create(base)
    assert (await fetch(method, base + path.replace("TOKEN", token), body)).status == status


async def test_limits_on_entries_and_tokens(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_ENTRIES", 3)
    monkeypatch.setattr(limits, "MOST_CLUSTERS", 1)

    token = await create(base)
    answers = [await fetch("POST", f"{base}/clusters/{token}?ttl=9", b"a:%d" % n) for n in range(1, 5)]
    assert [a.status for a in answers] == [200, 200, 200, 507]
    assert len(json.loads((await fetch("GET", f"{base}/clusters/{token}")).body)) == 3
    with pytest.raises(DiscoveryError, match="507"):
        await create(base)


def test_a_token_nobody_uses_is_forgotten_unless_it_holds_entries_without_end(registry: Registry, clock: Clock) -> None:
    idle, used = registry.create(), registry.create()
    registry.register(used, "a:1")
    clock.now += limits.IDLE + 1
    registry.create()
    assert registry.nodes(used) == ["a:1"]
    with pytest.raises(UnknownToken) as caught:
        registry.nodes(idle)
    assert "zk://" not in caught.value.resolution
    assert "nodes://" not in caught.value.resolution
    assert "machine swarm create" in caught.value.resolution


def test_the_registry_is_private_durable_and_shared_by_threads(registry: Registry) -> None:
    token = registry.create()
    assert stat.S_IMODE(os.stat(registry.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(registry.path)).st_mode) == 0o700

    def enter(first: int) -> None:
        for port in range(first, first + 10):
            registry.register(token, f"h:{port}", 60)

    threads = [threading.Thread(target=enter, args=(n * 10 + 1,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Registry(registry.path, now=lambda: 1000.0).nodes(token)) == 40


def test_a_file_that_is_no_registry(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(DiscoveryError, match=r"r\.db"):
        Registry(str(path)).create()
    with pytest.raises(DiscoveryError):
        Registry(str(tmp_path)).nodes("x")


async def test_a_registry_on_this_disk_is_the_default(registry: Registry) -> None:
    token = registry.create()
    registry.register(token, "a:1")
    found = from_url(f"token://{token}", registry=registry.path, environ={})
    assert await found.nodes() == ["a:1"]
    registry.register("chosen-by-the-user", "b:1", create=True)
    assert registry.nodes("chosen-by-the-user") == ["b:1"]


def test_where_a_token_is_looked_for() -> None:
    shown = {
        "token://host/T": "token:// at https://host",
        "token://host:99/v1/T": "token:// at https://host:99/v1",
        "token://127.0.0.1:99/v1/T": "token:// at http://127.0.0.1:99/v1",
        "token://T": "token:// at https://d.example/v1",
    }
    for url, where in shown.items():
        assert from_url(url, environ={"MACHINE_DISCOVERY_URL": "https://d.example/v1/"}).description == where


@pytest.mark.parametrize("url", ["token://", "token://host/", "token://T", "zk://a/b", "x://y", "etcd://", "nodes://"])
def test_urls_that_name_nothing(url: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        from_url(url, environ={})
    assert caught.value.resolution == "machine swarm help list shows how the URL of a discovery is written"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("0123456789abcdef" * 2, r"did you mean token://TOKEN\?"),
        ("token://token://T", "followed by another scheme"),
        ("token://https://d.example/v1/T", "token://HOST:PORT/v1/TOKEN"),
    ],
)
def test_tokens_that_are_written_wrongly(url: str, said: str) -> None:
    with pytest.raises(DiscoveryError, match=said) as caught:
        from_url(url, registry="/nonexistent/registry.db", environ={})
    assert url not in str(caught.value), "a token is a secret"


def test_whether_a_token_is_known_makes_no_file(registry: Registry) -> None:
    token = "never-seen"
    assert not registry.has_token(token)
    assert not os.path.exists(registry.path)
    registry.add_token(token)
    assert registry.has_token(token)


def test_plain_http_beyond_loopback_is_refused() -> None:
    with pytest.raises(DiscoveryError, match="loopback"):
        from_url("token://T", environ={"MACHINE_DISCOVERY_URL": "http://d.example/v1"})


@pytest.mark.parametrize("scheme", ["token", "etcd", "consul"])
async def test_a_service_that_is_not_there(scheme: str) -> None:
    found = from_url(f"{scheme}://127.0.0.1:1/T", environ={})
    with pytest.raises(DiscoveryError) as caught:
        await found.nodes()
    assert str(caught.value) == f"http://127.0.0.1:1 cannot be reached: {os.strerror(errno.ECONNREFUSED)}"
    assert caught.value.resolution == "curl -v http://127.0.0.1:1 shows what answers there"


@pytest.mark.parametrize("form", FORMS)
def test_help_shows_forms_that_are_understood(form: str) -> None:
    written = form.replace("HOST:PORT", "h.example:1").replace("TOKEN", "T").replace("PREFIX", "p")
    from_url(written, registry="/nonexistent/registry.db", environ={})
    assert form in help_text("machine swarm", "list")
    assert form not in help_text("machine swarm", "create")


async def test_a_service_that_hangs_up_during_the_handshake_gives_a_reason() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(DiscoveryError, match=r"cannot be reached: ."):
            await fetch("GET", f"https://127.0.0.1:{port}/v1", tls=ssl.create_default_context())


def test_killed_in_the_middle_of_a_write_keeps_what_was_there(registry: Registry) -> None:
    token = registry.create()
    registry.register(token, "a:1")
    db = sqlite3.connect(registry.path, isolation_level=None)  # another program, that dies before COMMIT
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM entry")
    db.close()
    assert registry.nodes(token) == ["a:1"]


@pytest.mark.parametrize(("status", "refused"), [(200, False), (404, False), (405, False), (403, True), (413, True)])
async def test_a_withdrawal_that_is_refused_is_an_error(status: int, refused: bool) -> None:
    async def answer(_: Request) -> Reply:
        return Reply(status, (), b"so it is")

    server = Server(answer)
    where = await server.listen(Address("127.0.0.1", 0))
    found = from_url(f"token://127.0.0.1:{where.port}/v1/0123456789abcdef0123456789abcdef", environ={})
    try:
        if refused:
            with pytest.raises(DiscoveryError, match=f"{status}"):
                await found.deregister("10.0.0.1:2376")
        else:
            await found.deregister("10.0.0.1:2376")
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("url", "said", "advice"),
    [
        ("http://127.0.0.1:1", f"http://127.0.0.1:1 cannot be reached: {os.strerror(errno.ECONNREFUSED)}", "curl -v"),
        ("ftp://d.example", "'ftp://d.example' is not the URL of a discovery service", "https://HOST:PORT/v1"),
    ],
)
@pytest.mark.parametrize("command", [["create"], ["list", "token://T"]])
def test_an_error_of_the_service_in_the_environment_names_the_variable(
    url: str, said: str, advice: str, command: list[str]
) -> None:
    context = CliContext({"MACHINE_DISCOVERY_URL": url}, lambda _: None, lambda _: None)
    with pytest.raises(MachineError) as caught:
        run(command, context)
    assert caught.value.brief.startswith(f"$MACHINE_DISCOVERY_URL: {said}")
    assert advice in caught.value.resolution


def test_join_says_that_it_goes_on_trying() -> None:
    lines: list[str] = []

    def log(text: str) -> None:
        lines.append(text)
        raise asyncio.CancelledError

    context = CliContext({}, lambda _: None, log)
    run(["join", "--advertise", "10.0.0.1:2376", "--delay=0s", "--heartbeat=7s", "token://127.0.0.1:1/T"], context)
    assert lines[0].endswith(f"{os.strerror(errno.ECONNREFUSED)}; trying again in 7 s")
