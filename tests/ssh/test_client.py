"""The shell against a real sshd on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED

from machine.errors import HostKeyMismatch, LoginRefused, LoginTimeout, ShellError, TooManyKeys
from machine.ssh.client import SshShell
from tests.sshd import Sshd, free_port, keygen


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture
def known(sshd: Sshd, tmp_path: Path) -> Path:
    file = tmp_path / "known_hosts"
    file.write_text(sshd.host_line("dev"))
    return file


def connect(sshd: Sshd, known: Path, **changes: Any) -> SshShell:
    arguments: dict[str, Any] = {
        "key_path": str(sshd.key), "known_hosts": str(known), "alias": "dev", "timeout": 10.0,
    } | changes  # fmt: skip
    host, port, user = (
        arguments.pop(n, d) for n, d in (("host", sshd.address), ("port", sshd.port), ("user", sshd.user))
    )
    return SshShell.connect(host, port, user, **arguments)


@pytest.fixture
def shell(sshd: Sshd, known: Path) -> Iterator[SshShell]:
    with connect(sshd, known) as opened:
        yield opened


def test_status_and_both_streams(shell: SshShell) -> None:
    done = shell.run("echo out; echo err >&2; exit 7")
    assert (done.status, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_many_commands_are_one_login(sshd: Sshd, known: Path) -> None:
    before = sshd.logins()
    with connect(sshd, known) as shell:
        assert [shell.run(f"echo {n}").stdout for n in range(5)] == [f"{n}\n" for n in range(5)]
    assert sshd.logins() == before + 1


def test_megabytes_on_both_streams_and_stdin_at_once(shell: SshShell) -> None:
    content = random.Random(1).randbytes(3_000_000).hex().encode()  # noqa: S311
    done = shell.run("tee /dev/stderr", stdin=content, timeout=60)
    assert done.status == 0
    assert done.stdout.encode() == content
    assert done.stderr.encode() == content


def test_a_command_that_ignores_its_stdin_ends(shell: SshShell) -> None:
    assert shell.run("exit 3", stdin=b"x" * 8_000_000, timeout=30).status == 3


def test_timeout_is_an_error_and_the_connection_lives_on(shell: SshShell) -> None:
    started = time.monotonic()
    with pytest.raises(ShellError, match=r"did not end within 0\.3 s") as caught:
        shell.run("sleep 20", timeout=0.3)
    assert time.monotonic() - started < 15
    assert caught.value.details == "sleep 20"
    assert shell.run("echo still").stdout == "still\n"


def test_timeout_when_the_streams_are_closed_early(shell: SshShell) -> None:
    with pytest.raises(ShellError, match="did not end"):
        shell.run("exec >&- 2>&-; sleep 20", timeout=0.5)


def test_a_command_killed_by_a_signal_has_status_255(shell: SshShell) -> None:
    assert shell.run("kill -9 $$").status == 255


def test_bytes_that_are_no_text_are_replaced(shell: SshShell) -> None:
    assert shell.run(r"printf 'a\377b'").stdout == "a\ufffdb"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o400])
def test_put_writes_content_and_mode(shell: SshShell, tmp_path: Path, mode: int) -> None:
    target = tmp_path / "a file; with 'quotes'"
    target.write_text("old")
    content = os.urandom(200_000)
    shell.put(str(target), content, mode)
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o7777 == mode
    assert [p.name for p in tmp_path.iterdir() if "machine-new" in p.name] == []


def test_a_secret_is_never_visible_to_others_while_it_is_written(shell: SshShell, tmp_path: Path) -> None:
    seen: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for path in tmp_path.glob("secret*"):
                try:
                    seen.add(path.stat().st_mode & 0o777)
                except FileNotFoundError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    shell.put(str(tmp_path / "secret"), b"k" * 4_000_000, 0o600)
    stop.set()
    watcher.join()
    assert seen <= {0o600}
    assert (tmp_path / "secret").stat().st_size == 4_000_000


def test_put_says_why_it_failed(shell: SshShell, tmp_path: Path) -> None:
    with pytest.raises(ShellError, match="cannot write") as caught:
        shell.put(str(tmp_path / "no" / "such" / "dir"), b"x", 0o600)
    assert "No such file" in caught.value.details or "nonexistent" in caught.value.details


def test_a_connection_that_breaks_is_an_error(sshd: Sshd, known: Path) -> None:
    with connect(sshd, known) as shell:
        killer = "kill -9 $PPID"  # the sshd process of this very connection
        with pytest.raises(ShellError, match="broke"):
            shell.run(f"{killer}; sleep 20", timeout=20)
        with pytest.raises(ShellError, match="broke"):
            shell.run("true", timeout=5)


def test_nobody_listens(sshd: Sshd, known: Path) -> None:
    with pytest.raises(ShellError, match="cannot connect to dev") as caught:
        connect(sshd, known, port=free_port())
    assert "nothing listens" in caught.value.details


def test_something_that_is_not_ssh(sshd: Sshd, known: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        with pytest.raises(ShellError, match="no ssh conversation"):
            connect(sshd, known, port=mute.getsockname()[1], timeout=0.5)
        assert time.monotonic() - started < 5


def test_a_foreign_key_is_refused_and_named(sshd: Sshd, known: Path, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other")
    with pytest.raises(LoginRefused) as caught:
        connect(sshd, known, key_path=str(other))
    assert sshd.user in caught.value.brief
    assert str(other) in caught.value.details
    assert "SHA256:" in caught.value.details
    assert "authorized_keys" in caught.value.resolution


def test_a_missing_key_is_named(sshd: Sshd, known: Path, tmp_path: Path) -> None:
    with pytest.raises(LoginRefused, match="gone"):
        connect(sshd, known, key_path=str(tmp_path / "gone"))


def test_a_file_that_is_no_key(sshd: Sshd, known: Path, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("-----BEGIN JUNK-----\n")
    with pytest.raises(LoginRefused, match="not a usable ssh private key"):
        connect(sshd, known, key_path=str(tmp_path / "junk"))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_every_kind_of_key_logs_in(sshd: Sshd, known: Path, tmp_path: Path, kind: str) -> None:
    key = keygen(tmp_path / kind, kind=kind)
    with sshd.authorized.open("a") as file:
        file.write(Path(f"{key}.pub").read_text())
    with connect(sshd, known, key_path=str(key)) as shell:
        assert shell.run("echo in").stdout == "in\n"


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty ssh-agent of the test's own."""
    path = f"/tmp/machine-test-agent-{os.getpid()}"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    while not os.path.exists(path):
        assert process.poll() is None
        time.sleep(0.01)
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    yield path
    process.terminate()
    process.wait(60)
    Path(path).unlink(missing_ok=True)


def ssh_add(key: Path, passphrase: str = "", tmp_path: Path | None = None) -> None:
    environ = dict(os.environ)
    if tmp_path:
        answer = tmp_path / "askpass"
        answer.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        answer.chmod(0o700)
        environ |= {"SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environ, stdin=subprocess.DEVNULL)


def test_the_agents_keys_are_used_when_there_is_no_path(sshd: Sshd, known: Path, agent: str) -> None:
    ssh_add(sshd.key)
    with connect(sshd, known, key_path=None) as shell:
        assert shell.run("echo agent").stdout == "agent\n"


def test_an_empty_agent_and_no_agent_are_told_apart(
    sshd: Sshd, known: Path, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LoginRefused, match="ssh-agent has no key") as caught:
        connect(sshd, known, key_path=None)
    assert caught.value.resolution == "ssh-add"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(LoginRefused, match="no ssh-agent is running"):
        connect(sshd, known, key_path=None)


def test_a_key_with_a_passphrase_goes_through_the_agent(sshd: Sshd, known: Path, agent: str, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    with sshd.authorized.open("a") as file:
        file.write(Path(f"{key}.pub").read_text())
    with pytest.raises(LoginRefused, match="has a passphrase") as caught:
        connect(sshd, known, key_path=str(key))
    assert caught.value.resolution == f"ssh-add {key}"
    ssh_add(key, "open sesame", tmp_path)
    with connect(sshd, known, key_path=str(key)) as shell:
        assert shell.run("echo unlocked").stdout == "unlocked\n"


def test_another_host_key_is_refused_with_file_line_and_cure(sshd: Sshd, tmp_path: Path) -> None:
    other = Path(f"{keygen(tmp_path / 'other')}.pub").read_text().split()
    known = tmp_path / "kh"
    known.write_text(f"# written by hand\ndev {other[0]} {other[1]}\n")
    for trust_new in (False, True):
        with pytest.raises(HostKeyMismatch, match="another ssh host key") as caught:
            connect(sshd, known, trust_new=trust_new)
    assert f"{known}:2 has ssh-ed25519 SHA256:" in caught.value.details
    assert "machine ssh --forget-host-key dev" in caught.value.resolution
    assert "Accepted" not in sshd.log.read_text().splitlines()[-1]


def test_an_unknown_host_key_is_saved_only_when_asked(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "kh"
    with pytest.raises(HostKeyMismatch, match="no ssh host key of dev is on record"):
        connect(sshd, known)
    assert not known.exists()
    connect(sshd, known, trust_new=True).close()
    assert known.read_text() == sshd.host_line("dev")
    connect(sshd, known).close()


def test_a_revoked_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "kh"
    known.write_text("@revoked " + sshd.host_line("dev"))
    with pytest.raises(HostKeyMismatch, match="revoked"):
        connect(sshd, known, trust_new=True)


def test_the_kind_of_host_key_on_record_is_asked_for(tmp_path: Path) -> None:
    """A server with several host keys: the RSA one is on record, ed25519 would be paramiko's first choice."""
    rsa = keygen(tmp_path / "host_rsa", kind="rsa")
    server = Sshd(tmp_path / "sshd", extra=f"HostKey {rsa}\n")
    try:
        known = tmp_path / "kh"
        known.write_text("dev " + " ".join(Path(f"{rsa}.pub").read_text().split()[:2]) + "\n")
        connect(server, known).close()
    finally:
        server.stop()


def test_the_same_file_serves_the_systems_ssh(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "kh"
    connect(sshd, known, trust_new=True).close()
    done = subprocess.run(
        ["ssh", "-F", "/dev/null", "-i", str(sshd.key), "-p", str(sshd.port), "-o", f"UserKnownHostsFile={known}",
         "-o", "HostKeyAlias=dev", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
         f"{sshd.user}@{sshd.address}", "echo both"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "both\n"


def test_big_download_is_whole(shell: SshShell) -> None:
    done = shell.run("head -c 10000000 /dev/zero", timeout=60)
    assert hashlib.sha256(done.stdout.encode()).hexdigest() == hashlib.sha256(bytes(10_000_000)).hexdigest()


def test_more_keys_than_sshd_lets_try_are_named_as_the_cause(tmp_path: Path, agent: str) -> None:
    server = Sshd(tmp_path / "strict", extra="MaxAuthTries 2\n")
    try:
        for number in range(5):
            ssh_add(keygen(tmp_path / f"wrong{number}"))
        ssh_add(server.key)
        known = tmp_path / "kh"
        known.write_text(server.host_line("dev"))
        with pytest.raises(TooManyKeys, match="too many keys") as caught:
            connect(server, known, key_path=None)
        assert "more not tried" in caught.value.details
        assert "--generic-ssh-key PATH" in caught.value.resolution
        connect(server, known, key_path=str(server.key)).close()
    finally:
        server.stop()


class Thoughtful(paramiko.ServerInterface):
    """An sshd that takes its time over a key."""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        time.sleep(5)
        return AUTH_FAILED


@pytest.fixture(params=["name", "exchange of keys"])
def slow_sshd(request: pytest.FixtureRequest, sshd: Sshd) -> Iterator[int]:
    """The port of an sshd that falls silent after its name, or after the exchange of keys."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as taken:

        def serve() -> None:
            connection = taken.enter_context(server.accept()[0])
            if request.param == "name":
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                return
            transport = paramiko.Transport(connection)
            taken.callback(transport.close)
            transport.add_server_key(paramiko.PKey.from_path(sshd.host_key))
            transport.start_server(server=Thoughtful())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_a_login_that_takes_too_long_is_no_refused_key(sshd: Sshd, known: Path, slow_sshd: int) -> None:
    with pytest.raises(LoginTimeout, match=f"the ssh login at 127.0.0.1:{slow_sshd} took longer than 2 s") as caught:
        connect(sshd, known, port=slow_sshd, timeout=2)
    assert ("exchange of keys did not end" in caught.value.details) or (
        f"no answer yet about {sshd.key} (ssh-ed25519 SHA256:" in caught.value.details
    )
    assert caught.value.resolution.startswith("run this again")


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_output_without_end_is_given_up(shell: SshShell, monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    monkeypatch.setattr("machine.ssh.client.LARGEST_OUTPUT", 2**20)
    with pytest.raises(ShellError, match="printed more than 1 MiB"):
        shell.run(f"yes {stream}", timeout=60)
    assert shell.run("echo on").stdout == "on\n"
