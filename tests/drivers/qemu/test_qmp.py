"""The protocol client against a real qemu (no machine in it: it starts in a tenth of a second), and a liar."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from shutil import which

import pytest

from machine.drivers.qemu import qmp, vm
from machine.drivers.qemu.qmp import Client, QmpError
from tests.drivers.qemu.monitors import connected
from tests.platforms import loopback_addresses

needs_qemu = pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[str]:
    """A qemu without a machine, with a user-mode network; its QMP socket."""
    path = str(tmp_path / "q")
    words = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-netdev", "user,id=nat"]
    process = subprocess.Popen([*words, "-qmp", f"unix:{path},server=on,wait=off"])
    try:
        connected(path).close()
        yield path
    finally:
        process.kill()
        process.wait()


@needs_qemu
def test_a_command_and_its_answer(qemu: str) -> None:
    with Client(qemu) as client:
        assert client.command("query-status")["running"] is True
        assert client.command("query-version")["qemu"]["major"] >= 5
    assert vm.status(qemu) == "running"


@needs_qemu
def test_a_refusal_carries_the_words_of_qemu(qemu: str) -> None:
    with Client(qemu) as client, pytest.raises(QmpError) as caught:
        client.command("eject", id="nothing")
    assert "nothing" in caught.value.details


@needs_qemu
def test_events_that_come_in_between_are_kept(qemu: str) -> None:
    with Client(qemu) as client:
        client.command("stop")
        client.command("cont")
        assert client.command("query-status")["status"] == "running"
        assert [event["event"] for event in client.events] == ["STOP", "RESUME"]


@loopback_addresses
@needs_qemu
def test_forwards_come_and_go_through_the_monitor(qemu: str) -> None:
    with Client(qemu) as client:
        assert client.monitor("hostfwd_add nat tcp:127.84.0.77:18099-:80") == ""
        socket.create_connection(("127.84.0.77", 18099), 2).close()
        assert "18099" in client.monitor("info usernet")
        assert "could not set up" in client.monitor("hostfwd_add nat tcp:127.84.0.77:18099-:80").lower()
        client.monitor("hostfwd_remove nat tcp:127.84.0.77:18099")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.84.0.77", 18099), 2)


@needs_qemu
def test_qemu_that_goes_away(qemu: str) -> None:
    with Client(qemu) as client:
        client.command("quit")
        with suppress(ConnectionError):
            while client.socket.recv(4096):
                pass
        with pytest.raises(QmpError):
            client.command("query-status")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(QmpError):
        Client(str(tmp_path / "nothing"))
    assert vm.status(str(tmp_path / "nothing")) == ""


def test_somebody_else_there(tmp_path: Path) -> None:
    path = str(tmp_path / "liar")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)

        def lie() -> None:
            connection, _ = server.accept()
            connection.sendall(b"220 smtp ready\r\n")
            connection.close()

        thread = threading.Thread(target=lie)
        thread.start()
        with pytest.raises(QmpError, match="does not speak QMP"):
            Client(path)
        thread.join()


def test_a_second_client_is_told_in_time(tmp_path: Path) -> None:
    """A server that accepts and says nothing: the answer is an error after the timeout, not a hang."""
    path = str(tmp_path / "mute")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)
        with pytest.raises(QmpError):
            Client(path, timeout=0.2)


@pytest.mark.parametrize(
    "answer",
    [
        [b'{"return": []}\n'],
        [b'{"return": {}}\n'],
        [b'{"error": "no"}\n'],
        [b"[" * 200_000 + b"\n"],
        repeat(b'{"event": "x"}\n' * 1000),
        repeat(b"x" * 65536),
    ],
    ids=["a list", "no status", "an error that is text", "nested", "events without end", "a line without end"],
)
def test_a_process_taken_over_by_its_guest_costs_a_question_its_timeout_at_most(
    answer: Iterable[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vm, "ASK_SECONDS", 1.0)
    path = str(tmp_path / "liar")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)

        def lie() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b'{"QMP": {}}\n{"return": {}}\n')
                for piece in answer:
                    connection.sendall(piece)

        thread = threading.Thread(target=lie)
        began = time.monotonic()
        thread.start()
        assert vm.status(path) == ""
        assert time.monotonic() - began < 10
        thread.join()


def test_an_answer_that_comes_a_byte_at_a_time_has_the_same_deadline(tmp_path: Path) -> None:
    path = str(tmp_path / "slow")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for _ in range(600):
                    connection.sendall(b"x")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(QmpError):
            Client(path, timeout=0.5)
        assert time.monotonic() - began < 15
        thread.join()


@needs_qemu
def test_no_more_events_are_kept_than_some(qemu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp, "MOST_EVENTS", 3)
    with Client(qemu) as client:
        for _ in range(3):
            client.command("stop")
            client.command("cont")
        client.command("query-status")
        assert len(client.events) == 3
