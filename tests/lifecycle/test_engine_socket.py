"""The unix socket of an engine: bytes both ways over TLS, and whose place the socket is. Real docker: tests/e2e."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import certs
from machine import socket_path
from machine.errors import MachineError, StoreError, UsageError
from machine.lifecycle import engine_socket
from machine.lifecycle.engine_socket import EngineSocket
from machine.store import Record, Store
from tests.engine.servers import Files, server_context


class Served:
    """A machine whose engine is a TLS server of the test, and its unix socket."""

    def __init__(self, place: Path) -> None:
        self.store = Store(str(place / "store"))
        self.path = str(place / "run" / "dev.sock")
        self.said: list[str] = []
        self.files = Files(place / "pki")
        self.stop = asyncio.Event()
        self.engine_saw: list[bytes] = []
        self.port = 0

    async def begin(self) -> None:
        """Start the engine and the socket."""
        context = server_context(self.files.server, self.files.ca)
        self.engine = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=context)
        self.port = self.engine.sockets[0].getsockname()[1]
        self.store.add("dev")
        self.store.save(Record.new(self.store.root, "dev", "none", {"URL": f"tcp://127.0.0.1:{self.port}"}))
        client = certs.make_client(self.files.authority, "test")
        for name, content in (
            ("ca.pem", self.files.authority.cert),
            ("cert.pem", client.cert),
            ("key.pem", client.key),
        ):
            Path(self.store.directory("dev"), name).write_bytes(content)
        ready = asyncio.Event()
        self.task = asyncio.create_task(
            EngineSocket(self.store, "dev", self.said.append).serve(self.path, ready.set, self.stop)
        )
        done, _ = await asyncio.wait(
            [self.task, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        if self.task in done:
            self.task.result()

    async def end(self) -> None:
        self.stop.set()
        self.engine.close()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer at once, then echo what is upgraded, byte for byte."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.engine_saw.append(head)
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def ask(self, request: bytes) -> bytes:
        """What comes back for a request, to its end."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    made = Served(tmp_path)
    await made.begin()
    yield made
    await made.end()


async def test_bytes_go_both_ways_as_they_are(served: Served) -> None:
    """Everything after the head is opaque: h2c, a raw terminal, a session of BuildKit."""
    reader, writer = await asyncio.open_unix_connection(served.path)
    request = b"POST /v1.47/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    writer.write(request)
    assert await reader.readuntil(b"\r\n\r\n") == (
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    )
    assert served.engine_saw == [request]
    sent = bytes(range(256)) * 4096
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent
    writer.close()


async def test_only_this_user_may_open_it(served: Served) -> None:
    assert stat.S_IMODE(os.stat(served.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(served.path)).st_mode) == 0o700


async def test_it_is_gone_when_it_ends(served: Served) -> None:
    served.stop.set()
    await served.task
    assert not os.path.lexists(served.path)


async def test_an_engine_that_is_off_is_an_answer_and_one_line_of_log(served: Served) -> None:
    served.engine.close()
    for _ in range(2):
        answer = await served.ask(b"GET /v1.47/info HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"the engine of dev cannot be reached" in answer
        assert b"machine status dev" in answer
    assert len(served.said) == 1
    assert (await served.ask(b"HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"\r\n\r\n")


async def test_the_record_counts_for_each_connection(served: Served) -> None:
    """An engine that went elsewhere, a certificate that is not trusted any more, a machine that is gone."""
    record = served.store.load("dev")
    record.raw["Driver"]["URL"] = ""
    served.store.save(record)
    assert b"is not known" in await served.ask(b"GET / HTTP/1.1\r\n\r\n")
    record.raw["Driver"]["URL"] = f"tcp://127.0.0.1:{served.port}"
    served.store.save(record)
    Path(served.store.directory("dev"), "ca.pem").write_bytes(certs.make_ca("other").cert)
    assert b"cannot be reached" in await served.ask(b"GET / HTTP/1.1\r\n\r\n")
    assert served.engine_saw == []
    served.store.delete("dev")
    assert b"dev" in await served.ask(b"GET / HTTP/1.1\r\n\r\n")


async def test_a_head_without_end_is_not_read_for_ever(served: Served) -> None:
    served.engine.close()
    assert (await served.ask(b"GET /" + b"a" * engine_socket.LONGEST_HEAD)).startswith(b"HTTP/1.1 503 ")


async def test_a_dead_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    path = str(directory / "dev.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    engine_socket.listen(path).close()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(path)
        living.listen()
        with pytest.raises(UsageError, match="is taken"):
            engine_socket.listen(path)
        assert os.path.exists(path)
    os.unlink(path)
    Path(path).write_text("mine")
    with pytest.raises(UsageError, match="is not a socket"):
        engine_socket.listen(path)
    assert Path(path).read_text() == "mine"


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)
    with pytest.raises(StoreError, match="is not safe"):
        engine_socket.listen(str(tmp_path / "run" / "dev.sock"))
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with pytest.raises(StoreError, match="is not safe"):
        engine_socket.listen(str(tmp_path / "link" / "dev.sock"))


def test_the_directory_above_that_of_a_store_is_ours_too(tmp_path: Path) -> None:
    """Whoever owns it could put another directory, and a socket of his own, in the place of ours."""
    path = socket_path.socket_path(str(tmp_path / "store"), "dev", {"XDG_RUNTIME_DIR": str(tmp_path)})
    above = Path(path).parent.parent
    assert above == tmp_path / "machine"
    above.mkdir()
    above.chmod(0o755)
    with pytest.raises(StoreError, match=f"{above} is not safe"):
        engine_socket.listen(path)
    assert list(above.iterdir()) == []
    above.chmod(0o700)
    engine_socket.listen(path).close()


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_socket, "LOOK_EVERY", 0.05)


async def test_it_ends_when_the_machine_is_removed(looks_often: None, served: Served) -> None:
    """A process that `rm` could not see yet, as it was only starting, serves nothing for ever."""
    served.store.delete("dev")
    async with asyncio.timeout(30):
        await served.task
    assert not os.path.lexists(served.path)


def test_the_path_is_short_enough_and_another_for_each_machine_and_store(tmp_path: Path) -> None:
    environ = {"HOME": "/home/me", "XDG_RUNTIME_DIR": str(tmp_path)}
    default = socket_path.socket_path("/home/me/.docker/machine", "dev", environ)
    assert default.endswith("/machine/dev.sock")
    other = socket_path.socket_path("/elsewhere", "dev", environ)
    assert other != default
    long = tmp_path / ("d" * 120)
    long.mkdir()
    found = {
        socket_path.socket_path("/elsewhere", name, environ | {"XDG_RUNTIME_DIR": str(long)})
        for name in ("a" * 200, "b" * 200)
    }
    assert len(found) == 2
    assert all(len(os.fsencode(path)) <= socket_path.LONGEST for path in found | {other})
    assert all(path.startswith(f"/tmp/machine-{os.geteuid()}-sockets/") for path in found)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to another user: root")
def test_a_runtime_directory_of_another_user_is_not_used(tmp_path: Path) -> None:
    """As sudo leaves it in the environment: root would make files there that its owner cannot remove."""
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/h"}
    assert socket_path.socket_path("/s", "dev", environ).startswith(str(tmp_path))
    os.chown(tmp_path, 12345, -1)
    assert not socket_path.socket_path("/s", "dev", environ).startswith(str(tmp_path))


def test_a_refusal_has_what_to_type() -> None:
    assert engine_socket.refusal("dev", MachineError("it is off", resolution="machine start dev")) == (
        "machine: it is off; machine start dev"
    )
