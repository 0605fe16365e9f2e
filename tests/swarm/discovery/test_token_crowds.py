"""Clients that want all the tokens there are, and those who look a token up that is about to end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from machine.swarm import limits
from machine.swarm.discovery.registry import Registry, TooMany, UnknownToken
from machine.swarm.discovery.service import service
from machine.swarm.http.address import Address
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Reply, Request, not_implemented
from tests.swarm.http.raw import say, statuses


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(tmp_path: Path, clock: Clock) -> Registry:
    return Registry(str(tmp_path / "registry.db"), now=clock)


def test_one_address_has_few_tokens_that_nobody_uses(registry: Registry, clock: Clock) -> None:
    made = [registry.create("192.0.2.1") for _ in range(limits.TOKEN_UNUSED_PER_ADDRESS)]
    with pytest.raises(TooMany, match=r"192\.0\.2\.1 has made 20 tokens"):
        registry.create("192.0.2.1")
    assert registry.create("192.0.2.2"), "others are not concerned"
    assert registry.create(), "nor is this computer"
    registry.register(made[0], "a:1", 60)
    assert registry.create("192.0.2.1")
    clock.now += limits.TOKEN_UNUSED_SECONDS + 1
    assert registry.create("192.0.2.1")


def test_what_is_made_over_the_network_and_not_used_ends_within_the_hour(registry: Registry, clock: Clock) -> None:
    unused, used, here = registry.create("192.0.2.1"), registry.create("192.0.2.1"), registry.create()
    registry.register(used, "a:1", 60)
    clock.now += limits.TOKEN_UNUSED_SECONDS + 1
    for call in (lambda: registry.nodes(unused), lambda: registry.register(unused, "a:1", 60)):
        with pytest.raises(UnknownToken):
            call()
    assert registry.nodes(used) == []
    assert registry.nodes(here) == []
    registry.create("192.0.2.9")
    with sqlite3.connect(registry.path) as db:
        assert {row[0] for row in db.execute("SELECT token FROM cluster")} >= {used, here}
        assert unused not in {row[0] for row in db.execute("SELECT token FROM cluster")}


def test_a_token_that_a_manager_watches_does_not_end(registry: Registry, clock: Clock) -> None:
    token = registry.create("192.0.2.1")
    for _ in range(5):
        clock.now += limits.TOKEN_UNUSED_SECONDS * 0.6
        assert registry.nodes(token) == []


def test_one_address_has_not_all_of_them(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOKEN_PER_ADDRESS", 3)
    for number in range(3):
        registry.register(registry.create("192.0.2.1"), f"a:{number + 1}", 60)
    with pytest.raises(TooMany, match="no more are made for one address"):
        registry.create("192.0.2.1")
    assert registry.create("192.0.2.2")


def test_a_registry_of_an_older_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE cluster (token TEXT PRIMARY KEY, used REAL NOT NULL) WITHOUT ROWID")
        db.execute("INSERT INTO cluster VALUES ('T', 900)")
    old = Registry(str(path), now=Clock())
    old.register("T", "a:1", 60)
    assert old.nodes("T") == ["a:1"]


async def test_the_service_says_429_and_takes_the_address_of_the_connection(registry: Registry) -> None:
    async def asked(client: str) -> Reply:
        call = Request("POST", "/v1/clusters", (), b"", client)
        return await service(registry)(call, not_implemented)

    first = [(await asked(f"2001:db8::{n}")).status for n in range(limits.TOKEN_UNUSED_PER_ADDRESS + 1)]
    assert first == [200] * limits.TOKEN_UNUSED_PER_ADDRESS + [429], "one /64 is one client"
    assert (await asked("2001:db8:0:1::1")).status == 200
    server = Server(lambda request: service(registry)(request, not_implemented))
    try:
        at = await server.listen(Address("127.0.0.1", 0))
        post = b"POST /v1/clusters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        answer = await say(at, post * (limits.TOKEN_UNUSED_PER_ADDRESS + 1))
        assert statuses(answer) == [200] * limits.TOKEN_UNUSED_PER_ADDRESS + [429]
    finally:
        await server.close()


@pytest.mark.parametrize("ttl", ["", "x", "-1", "0", "9" * 5000, "1.5", "\u0663", "1e3", "99999999"])
async def test_a_ttl_that_is_none_is_400(registry: Registry, ttl: str) -> None:
    from urllib.parse import quote

    token = registry.create()
    call = Request("POST", f"/v1/clusters/{token}?ttl={quote(ttl)}", (), b"a:1")

    async def story() -> int:
        from machine.swarm.pipeline import ApiError

        try:
            return (await service(registry)(call, not_implemented)).status
        except ApiError as error:
            return error.status

    assert await story() == 400
