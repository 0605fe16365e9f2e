"""An sshd that drops connections before a login: tried again, never once a command may have begun."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.cli import ssh_run
from machine.errors import ShellError
from machine.store import Record, Store
from tests.sshd import Sshd, free_port


def record(root: Path, server: Sshd, name: str = "dev") -> None:
    store = Store(str(root))
    store.add(name)
    made = Record.new(
        store.root,
        name,
        "generic",
        {
            "IPAddress": server.address,
            "SSHUser": server.user,
            "SSHPort": server.port,
            "SSHKeyPath": str(server.key),
        },
    )
    made.phase = "ready"
    store.save(made)
    Path(store.directory(name), "known_hosts").write_text(server.host_line(name))


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path / "sshd", extra="MaxStartups 2:30:3\nMaxSessions 50\n")
    record(tmp_path / "store", server)
    yield server
    server.stop()


def machine(tmp_path: Path, *line: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "MACHINE_STORAGE_PATH": str(tmp_path / "store"), "HOME": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-m", "machine", *line],
        env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_twelve_at_once_get_in(busy: Sshd, tmp_path: Path) -> None:
    runs = [machine(tmp_path, "ssh", "dev", "echo", f"n{number}; echo e{number} >&2") for number in range(12)]
    done = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 12, done
    assert [out for out, _ in done] == [f"n{number}\n" for number in range(12)]
    for number, (_, err) in enumerate(done):  # the start-up files of this user's shell may say something of their own
        assert err.endswith(f"e{number}\n")


def test_the_built_in_client_gets_in_too(busy: Sshd, tmp_path: Path) -> None:
    runs = [machine(tmp_path, "ssh", "--native-ssh", "dev", f"echo n{number}") for number in range(12)]
    done = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 12, done
    assert [out for out, _ in done] == [f"n{number}\n" for number in range(12)]


def test_scp_gets_in_too(busy: Sshd, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    runs = [machine(tmp_path, "scp", "-q", str(tmp_path / "f"), f"dev:{tmp_path}/g{number}") for number in range(6)]
    done = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 6, done
    assert len(list(tmp_path.glob("g*"))) == 6


def fake(tmp_path: Path, name: str, script: str) -> list[str]:
    """A program called ssh or scp that counts its runs in `count`."""
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\necho run >>{tmp_path}/count\n{script}\n")
    program.chmod(0o755)
    return [name]


def count(tmp_path: Path) -> int:
    return len((tmp_path / "count").read_text().splitlines())


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


LINE = "kex_exchange_identification: Connection closed by remote host"


def test_one_that_stays_closed_names_the_cause(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    argv = fake(path, "ssh", f'echo "{LINE}" >>"$2"; exit 255')
    pauses: list[float] = []
    with pytest.raises(ShellError, match=rf"sshd of dev dropped the connection {ssh_run.TRIES} times") as caught:
        ssh_run.run(argv, "dev", pause=pauses.append)
    assert "MaxStartups" in caught.value.resolution
    assert count(path) == ssh_run.TRIES == len(pauses) + 1
    assert capfd.readouterr().err == f"{LINE}\n"


@pytest.mark.parametrize(
    ("program", "script", "status"),
    [
        ("ssh", 'echo "Permission denied (publickey)." >>"$2"; exit 255', 255),
        ("ssh", f'echo "{LINE}" >&2; exit 255', 255),  # the remote command's own words
        ("ssh", f'echo "client_loop: send disconnect" >>"$2"; echo "{LINE}" >>"$2"; exit 255', 255),
        ("ssh", f'echo "{LINE}" >>"$2"; exit 0', 0),
        ("scp", f'echo "scp: x" >&2; echo "{LINE}" >&2; exit 255', 255),
        ("ssh", "exit 7", 7),
        ("ssh", "kill -9 $$", 137),
    ],
)
def test_nothing_that_may_have_begun_is_run_twice(path: Path, program: str, script: str, status: int) -> None:
    assert ssh_run.run(fake(path, program, script), "dev", pause=lambda _: None) == status
    assert count(path) == 1


def test_what_ssh_says_comes_at_once_and_whole(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ssh_run.run(fake(path, "ssh", 'printf "kex_" >>"$2"; printf "no\\n" >>"$2"; exit 255'), "dev") == 255
    assert capfd.readouterr().err == "kex_no\n"
    assert ssh_run.run(fake(path, "scp", 'printf "k" >&2'), "dev") == 0
    assert capfd.readouterr().err == "k"


def test_a_closed_port_is_not_tried_again(tmp_path: Path) -> None:
    argv = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-p", str(free_port()), "127.0.0.1", "true"]
    assert ssh_run.run(argv, "dev", pause=lambda _: pytest.fail("tried again")) == 255
