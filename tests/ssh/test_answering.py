"""Waiting for an sshd, and going on with the connection on which it showed itself; a real one, and what is none."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.errors import ShellError
from machine.ssh.client import SshShell, answering
from tests.sshd import Sshd, free_port


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


def test_only_what_shows_the_line_of_an_sshd_answers(sshd: Sshd) -> None:
    answered = answering(sshd.address, sshd.port, 3)
    assert answered
    answered.close()
    assert answering("127.0.0.1", free_port(), 0.5) is None
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts like a port forward, says nothing
        started = time.monotonic()
        assert answering("127.0.0.1", mute.getsockname()[1], 0.3) is None
        assert time.monotonic() - started < 10, "it would say nothing for ever"


def test_the_connection_that_was_answered_is_the_one_that_logs_in(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(sshd.host_line("dev"))
    sock = answering(sshd.address, sshd.port, 3)
    monkeypatch.setattr("machine.ssh.login.dial", None)
    shell = SshShell.connect(
        sshd.address,
        sshd.port,
        sshd.user,
        key_path=str(sshd.key),
        known_hosts=str(known),
        alias="dev",
        timeout=10.0,
        sock=sock,
    )
    with shell:
        assert shell.run("echo one").stdout == "one\n"


@pytest.mark.parametrize("parts", [(b"hello\r\n", b"SS", b"H-2.0-x\r\n"), (b"SSH-",)])
def test_the_line_of_an_sshd_is_seen_behind_others_and_left_to_be_read(parts: tuple[bytes, ...]) -> None:
    with greeter(parts) as port:
        answered = answering("127.0.0.1", port, 3)
        assert answered
        with answered:
            assert answered.recv(1024, socket.MSG_WAITALL) == b"".join(parts)


@pytest.mark.parametrize("parts", [(), (b"HTTP/1.0 400\r\n",), (b"x" * 100_000,)])
def test_what_is_no_sshd_does_not_answer(parts: tuple[bytes, ...]) -> None:
    with greeter(parts) as port:
        assert answering("127.0.0.1", port, 0.5) is None


@contextlib.contextmanager
def greeter(parts: tuple[bytes, ...]) -> Iterator[int]:
    """The port of a server that sends the parts one after the other and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            peer, _ = server.accept()
            with peer, contextlib.suppress(OSError):
                for part in parts:
                    peer.sendall(part)
                    time.sleep(0.05)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_a_connection_that_has_ended_before_the_login_is_no_answer(tmp_path: Path) -> None:
    """Some systems refuse to set options of one that was reset."""
    near, far = socket.socketpair()
    far.close()
    with pytest.raises(ShellError):
        SshShell.connect(
            *("127.0.0.1", 22, "machine"),
            key_path=None,
            known_hosts=str(tmp_path / "known_hosts"),
            alias="dev",
            timeout=5,
            sock=near,
        )
