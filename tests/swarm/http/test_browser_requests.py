"""What a web page in the browser of somebody on this computer can do to a listener without TLS: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.swarm.http.address import Address, TlsConfig
from machine.swarm.http.browser_requests import rejection_reason
from machine.swarm.http.listener import ListenerPolicy, listen, rejection_check
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Request
from tests.swarm.http.raw import echo, say, statuses
from tests.swarm.http.recording import keys

HERE = b"127.0.0.1:2375"


def _foreign(host: bytes, **headers: bytes) -> str:
    named = [(b"host", host), *((name.replace("_", "-").encode(), value) for name, value in headers.items())]
    return rejection_reason(Request("POST", "/x", named), own=frozenset(("box",)), check_host=True, check_origin=True)


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        (HERE, {}),
        (b"localhost:2375", {}),
        (b"LOCALHOST", {}),
        (b"localhost.", {}),
        (b"[::1]:2375", {}),
        (b"docker", {}),
        (b"api.moby.localhost", {}),
        (b"10.1.2.3:2375", {}),
        (b"box:2375", {}),
        (b"alias-of-this-host:2375", {}),
        (HERE, {"origin": b"http://127.0.0.1:2375"}),
        (b"localhost", {"origin": b"http://localhost"}),
        (HERE, {"sec_fetch_site": b"none"}),
        (HERE, {"sec_fetch_site": b"same-origin"}),
    ],
)
def test_programs_and_pages_of_the_listener_itself_pass(host: bytes, headers: dict[str, bytes]) -> None:
    assert _foreign(host, **headers) == ""


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        (b"evil.example:2375", {}),
        (b"127.0.0.1.evil.example:2375", {}),
        (b"localhost.evil.example", {}),
        (HERE, {"origin": b"http://evil.example"}),
        (HERE, {"origin": b"http://evil.example:2375"}),
        (HERE, {"origin": b"https://127.0.0.1"}),
        (HERE, {"origin": b"http://127.0.0.1:8080"}),
        (HERE, {"origin": b"http://localhost:2375"}),
        (HERE, {"origin": b"null"}),
        (HERE, {"origin": b"http://[::1"}),
        (HERE, {"origin": b"file://"}),
        (HERE, {"sec_fetch_site": b"cross-site"}),
        (HERE, {"sec_fetch_site": b"same-site"}),
    ],
)
def test_pages_of_other_sites_do_not(host: bytes, headers: dict[str, bytes]) -> None:
    assert _foreign(host, **headers) != ""


AIODOCKER = {
    "upgrade": b"websocket",
    "connection": b"Upgrade",
    "sec_websocket_version": b"13",
    "sec_websocket_protocol": b"chat",
    "origin": b"http://localhost",
    "accept_encoding": b"gzip, deflate",
    "user_agent": b"Python/3.11 aiohttp/3.14.5",
}


def _websocket(host: bytes = HERE, method: str = "GET", **changes: bytes) -> str:
    headers = {**AIODOCKER, **changes}
    named = [(b"host", host), *((name.replace("_", "-").encode(), value) for name, value in headers.items() if value)]
    request = Request(method, "/containers/x/attach/ws", named)
    return rejection_reason(request, own=frozenset(), check_host=True, check_origin=True)


def test_a_programs_websocket_that_has_to_name_an_origin_passes() -> None:
    """As aiodocker opens it."""
    assert _websocket() == ""
    assert _websocket(b"localhost:2375") == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"user_agent": b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
        {"user_agent": b""},
        {"accept_language": b"en"},
        {"sec_fetch_site": b"cross-site"},
        {"sec_fetch_site": b"none"},
        {"sec_fetch_mode": b"websocket"},
        {"cookie": b"a=b"},
        {"origin": b"http://localhost:8080"},
        {"origin": b"http://localhost.evil.example"},
        {"origin": b"http://evil.example"},
        {"origin": b"null"},
        {"upgrade": b"tcp"},
        {"upgrade": b"", "connection": b""},
        {"method": "POST"},
        {"host": b"evil.example"},
    ],
)
def test_a_pages_websocket_does_not(changes: Any) -> None:
    assert _websocket(**changes) != ""


async def test_a_pages_calls_are_refused_on_loopback_in_every_form() -> None:
    server = Server(echo)
    try:
        at = await listen(server, "tcp://127.0.0.1:0", ListenerPolicy(None, "it"), port=0)
        own = f"Host: 127.0.0.1:{at.port}\r\n".encode()
        evil = b"Origin: http://evil.example\r\n"
        post = b"POST /containers/create HTTP/1.1\r\n"
        body = b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
        assert statuses(await say(at, post + own + evil + body)) == [403]
        assert statuses(await say(at, post + b"Host: evil.example\r\n" + body)) == [403]
        preflight = b"OPTIONS /containers/create HTTP/1.1\r\n" + own + evil
        asked = preflight + b"Access-Control-Request-Method: POST\r\n\r\n"
        answer = await say(at, asked)
        assert statuses(answer) == [403]
        assert b"access-control-allow-origin" not in answer.lower()
        socket = b"GET /containers/x/attach/ws HTTP/1.1\r\n" + own + evil
        assert statuses(await say(at, socket + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")) == [403]
        assert statuses(await say(at, post + own + body)) == [200]
        assert statuses(await say(at, b"GET /_ping HTTP/1.0\r\n\r\n")) == [200], "an old client sends no Host"
    finally:
        await server.close()


def test_what_is_checked_depends_on_who_can_get_in(tmp_path: Path) -> None:
    trust = keys(tmp_path).server
    page = Request("GET", "/x", ((b"host", b"evil.example"), (b"origin", b"http://evil.example:1")))
    named = Request("GET", "/x", ((b"host", b"swarm.example:2375"),))
    loopback, wide = Address("127.0.0.1", 1), Address("0.0.0.0", 1)
    assert rejection_check(loopback, ListenerPolicy(None, "it"))(page)
    assert rejection_check(loopback, ListenerPolicy(None, "it", cors=True))(page), "the name is still another's"
    assert rejection_check(loopback, ListenerPolicy(None, "it"))(named)
    assert rejection_check(wide, ListenerPolicy(None, "it", insecure=True))(page)
    assert not rejection_check(wide, ListenerPolicy(None, "it", insecure=True))(named), (
        "its own names are not known here"
    )
    assert not rejection_check(loopback, ListenerPolicy(trust, "it"))(page), "who has shown a certificate is no page"
    assert rejection_check(loopback, ListenerPolicy(TlsConfig("", trust.cert, trust.key, verify=False), "it"))(page)
    assert not rejection_check(Address(path="/run/x.sock"), ListenerPolicy(None, "it"))(page)
