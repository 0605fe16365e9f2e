"""The engine client against TLS servers that behave well and badly. A real dockerd: test_dockerd.py."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import certs
from machine.engine import Answer, EngineClient, Tls, ask_many
from machine.errors import CertificateError, EngineError, EngineTimeout, EngineUntrusted
from tests.engine.servers import VERSION, Files, blackhole, raw, respond, server_context, serving


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("foreign"))


def test_ping_version_info(files: Files) -> None:
    with serving(server_context(files.server, files.ca)) as port:
        engine = EngineClient("127.0.0.1", port, files.tls)
        assert engine.ping() == "1.41"
        assert engine.version() == VERSION
        assert engine.info() == {"asked": "/v1.41/info"}


def test_ipv6_and_names(files: Files) -> None:
    context = server_context(files.server, files.ca)
    with serving(context) as port:
        assert EngineClient("localhost", port, files.tls).ping() == "1.41"
    with serving(context, address="::1", family=socket.AF_INET6) as port:
        engine = EngineClient("::1", port, files.tls)
        assert engine.ping() == "1.41"
        assert engine.url == f"tcp://[::1]:{port}"


def test_plain_http(files: Files) -> None:
    with serving(None) as port:
        assert EngineClient("127.0.0.1", port).version() == VERSION


def test_an_engine_newer_than_this_program_is_asked_in_our_newest() -> None:
    def answer(path: str) -> bytes:
        return respond(path).replace(b"Api-Version: 1.41", b"Api-Version: 1.99")

    with serving(None, answer) as port:
        assert EngineClient("127.0.0.1", port).info() == {"asked": "/v1.52/info"}


def test_an_engines_refusal_is_quoted() -> None:
    with serving(None) as port, pytest.raises(EngineError, match="answered 404") as caught:
        EngineClient("127.0.0.1", port).get("/nope")
    assert caught.value.details == "page not found"


def test_refused(files: Files) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EngineError, match="nothing listens at") as caught:
        EngineClient("127.0.0.1", port, files.tls, name="dev").ping()
    assert caught.value.resolution == "machine provision dev"


def test_a_name_that_does_not_exist(files: Files) -> None:
    with pytest.raises(EngineError, match="unknown"):
        EngineClient("no-such-host.invalid", 2376, files.tls, timeout=10).ping()


@pytest.mark.parametrize("where", ["connect", "handshake", "answer", "drip"])
def test_the_deadline_is_over_the_whole_exchange(files: Files, where: str) -> None:
    @raw
    def drip(peer: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK":
            peer.sendall(bytes([byte]))
            time.sleep(0.1)

    mute = raw(lambda peer: time.sleep(9))
    context = server_context(files.server, files.ca)
    servers: dict[str, Callable[[], AbstractContextManager[int]]] = {
        "connect": blackhole,
        "handshake": lambda: serving(None, mute),
        "answer": lambda: serving(context, mute),
        "drip": lambda: serving(context, drip),
    }
    with servers[where]() as port:
        started = time.monotonic()
        with pytest.raises(EngineTimeout, match=r"did not answer within 0\.5 s") as caught:
            EngineClient("127.0.0.1", port, files.tls, timeout=0.5).ping()
        assert 0.45 < time.monotonic() - started < 5
    words = {"connect": "firewall", "handshake": "handshake", "answer": "did not answer", "drip": "did not answer"}
    assert words[where] in caught.value.details


def test_a_foreign_engine_is_not_trusted(files: Files, foreign: Files) -> None:
    with (
        serving(server_context(foreign.server, foreign.ca)) as port,
        pytest.raises(EngineUntrusted, match="not signed by this store's CA") as caught,
    ):
        EngineClient("127.0.0.1", port, files.tls, name="dev").ping()
    assert "machine regenerate-certs dev" in caught.value.resolution


def test_an_expired_engine_is_not_trusted(files: Files) -> None:
    with (
        serving(server_context(files.old_server(), files.ca)) as port,
        pytest.raises(EngineUntrusted, match="has expired"),
    ):
        EngineClient("127.0.0.1", port, files.tls).ping()


def test_an_engine_of_the_future_points_at_the_clock(files: Files) -> None:
    with (
        serving(server_context(files.future_server(), files.ca)) as port,
        pytest.raises(EngineUntrusted, match="clocks"),
    ):
        EngineClient("127.0.0.1", port, files.tls).ping()


@pytest.mark.parametrize("names", [("127.0.0.9",), ("other.example",)])
def test_a_certificate_for_another_machine_is_not_trusted(files: Files, names: tuple[str, ...]) -> None:
    with serving(server_context(files.server_for(*names), files.ca)) as port:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(EngineUntrusted, match="other names or addresses"):
                EngineClient(host, port, files.tls).ping()


@pytest.mark.parametrize("which", ["foreign", "expired"])
def test_a_client_certificate_that_the_engine_refuses(files: Files, foreign: Files, which: str) -> None:
    tls = files.expired() if which == "expired" else Tls(files.ca, foreign.tls.cert, foreign.tls.key)
    with (
        serving(server_context(files.server, files.ca)) as port,
        pytest.raises(EngineUntrusted, match="does not accept our client certificate") as caught,
    ):
        EngineClient("127.0.0.1", port, tls).ping()
    assert caught.value.details.startswith("its TLS alert: ")


def test_tls_asked_of_plain_http(files: Files) -> None:
    @raw
    def refuse(peer: socket.socket) -> None:  # what Go's net/http does with a ClientHello
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")

    with serving(None, refuse) as port, pytest.raises(EngineUntrusted, match="does not speak TLS"):
        EngineClient("127.0.0.1", port, files.tls).ping()


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b""])
def test_something_else_answers(files: Files, greeting: bytes) -> None:
    @raw
    def answer(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(greeting)

    context = server_context(files.server, files.ca)
    with serving(context, answer) as port, pytest.raises(EngineError, match="not a Docker Engine"):
        EngineClient("127.0.0.1", port, files.tls).ping()


@pytest.mark.parametrize("body", [b"[]", b"<html>", b"7", b""])
def test_http_that_is_no_engine(body: bytes) -> None:
    def answer(path: str) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    with serving(None, answer) as port, pytest.raises(EngineError, match="not a Docker Engine"):
        EngineClient("127.0.0.1", port).version()


def test_missing_and_broken_files_are_named(files: Files, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.pem")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for tls in (Tls(gone, files.tls.cert, files.tls.key), Tls(files.ca, gone, files.tls.key)):
        with pytest.raises(CertificateError, match="gone"):
            EngineClient("127.0.0.1", 1, tls, name="dev").ping()
    with pytest.raises(CertificateError, match="holds no certificate"):
        EngineClient("127.0.0.1", 1, Tls(str(junk), files.tls.cert, files.tls.key)).ping()
    other = certs.make_client(files.authority, "other")
    (tmp_path / "k.pem").write_bytes(other.key)
    with pytest.raises(CertificateError, match="not a usable pair"):
        EngineClient("127.0.0.1", 1, Tls(files.ca, files.tls.cert, str(tmp_path / "k.pem"))).ping()


def test_many_at_once_good_and_bad_in_order(files: Files, foreign: Files, tmp_path: Path) -> None:
    """Six engines: two answer, the others fail in four ways; it takes one timeout, not four."""
    context = server_context(files.server, files.ca)
    copy = tmp_path / "copy"  # another machine's directory with equal files
    copy.mkdir()
    for path in (files.tls.ca, files.tls.cert, files.tls.key):
        shutil.copy(path, copy)
    tls = Tls(*(str(copy / os.path.basename(p)) for p in (files.tls.ca, files.tls.cert, files.tls.key)))
    with (
        serving(context) as good,
        blackhole() as hole,
        serving(context, raw(lambda peer: time.sleep(9))) as mute,
        serving(server_context(foreign.server, foreign.ca)) as stranger,
    ):
        ports = [good, hole, mute, stranger, good]
        engines = [EngineClient("127.0.0.1", port, tls, timeout=3.0, name=f"m{port}") for port in ports]
        engines.append(EngineClient("127.0.0.1", 1, Tls("/nonexistent", tls.cert, tls.key)))
        started = time.monotonic()
        told: list[Answer] = []
        answers = ask_many(engines, told.append)
        assert time.monotonic() - started < 6, "the two that are silent are waited for at the same time"
    assert sorted(told, key=answers.index) == answers
    assert told[0].engine is engines[-1]  # its files are missing: known before anything is sent
    assert [a.engine for a in answers] == engines
    assert [a.version for a in answers] == [VERSION, None, None, None, VERSION, None]
    kinds = [type(a.error) for a in answers]
    assert kinds == [type(None), EngineTimeout, EngineTimeout, EngineUntrusted, type(None), CertificateError]
    assert answers[1].seconds >= 2.95
    assert 0 < answers[0].seconds < 3.0


def test_nobody_to_ask() -> None:
    assert ask_many([]) == []


def test_more_engines_than_sockets_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.engine.multi_request.MOST_AT_ONCE", 3)
    with serving(None) as port:
        answers = ask_many([EngineClient("127.0.0.1", port, timeout=5) for _ in range(10)])
    assert [a.version for a in answers] == [VERSION] * 10


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_no_socket_stays_behind() -> None:
    script = (
        "import os, sys; from machine.engine import EngineClient, ask_many;"
        "count = lambda: len(os.listdir('/proc/self/fd')); before = count();"
        "answers = ask_many([EngineClient('127.0.0.1', int(p), timeout=0.1) for p in sys.argv[1:] * 5]);"
        "print(len([a for a in answers if a.error]), count() - before)"
    )
    with blackhole() as hole, serving(None, raw(lambda peer: None)) as rude:
        argv = [sys.executable, "-c", script, str(hole), str(rude), "1"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "15 0\n"


def test_importing_the_client_loads_nothing_heavy() -> None:
    heavy = {
        "http.client",
        "asyncio",
        "dataclasses",
        "subprocess",
        "logging",
        "cryptography",
        "typing",
        "email",
        "pathlib",
    }
    script = "import sys; before = set(sys.modules); import machine.engine; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & heavy == set()
