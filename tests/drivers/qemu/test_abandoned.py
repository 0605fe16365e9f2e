"""Without a record, only what the machine's own directory proves to be its qemu or forwarder is ended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from machine.drivers.qemu import abandoned, paths, process
from machine.process import run
from machine.wait import SystemClock
from tests.drivers.qemu.conftest import Start

FORWARDER = ("-m", "machine.drivers.qemu.forwarder", "/a.sock", "/b.sock", "log", "127.0.0.1", "22")


def end(directory: Path) -> list[str]:
    return list(abandoned.end_processes(str(directory), run, SystemClock()))


def record(directory: Path, file: str, pid: int) -> str:
    (directory / file).write_text(f"{pid}\n")
    return str(directory / file)


def test_the_qemu_and_the_forwarder_of_the_directory_are_ended(tmp_path: Path, start: Start) -> None:
    qemu = start("-uuid", "any", "-pidfile", str(tmp_path / paths.PID))
    forwarder = start(*FORWARDER, str(tmp_path / paths.FORWARDER_LOCK))
    record(tmp_path, paths.PID, qemu)
    record(tmp_path, paths.FORWARDER_LOCK, forwarder)
    assert end(tmp_path) == [f"its forwarder (process {forwarder})", f"its qemu (process {qemu})"]
    assert process.gone(qemu)
    assert process.gone(forwarder)
    assert end(tmp_path) == []


def test_a_process_that_is_not_proven_is_left_alone(tmp_path: Path, start: Start) -> None:
    """Not one of another directory, not one that only got the pid, not one whose pid no file names."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    copied = start("-uuid", "any", "-pidfile", str(theirs / paths.PID))
    recycled = start("-drive", str(ours / paths.DISK))
    unnamed = start("-pidfile", str(ours / paths.PID))
    moved = start("-pidfile", str(tmp_path / "gone" / paths.PID))
    for pid in (copied, recycled, moved):
        record(ours, paths.PID, pid)
        record(ours, paths.FORWARDER_LOCK, pid)
        assert end(ours) == []
    forwarder = start(*FORWARDER, str(theirs / paths.FORWARDER_LOCK))
    record(ours, paths.FORWARDER_LOCK, forwarder)
    assert end(ours) == []
    assert not any(map(process.gone, (copied, recycled, unnamed, moved, forwarder)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_another_user_is_not_ended(tmp_path: Path) -> None:
    words = ["sh", "-c", "echo; read _", "sh", "-pidfile", str(tmp_path / paths.PID)]
    with subprocess.Popen(words, user=12345, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        record(tmp_path, paths.PID, other.pid)
        assert end(tmp_path) == []
        assert not process.gone(other.pid)
        other.kill()


def test_sockets_outside_of_the_store_go_with_the_process(tmp_path: Path, start: Start) -> None:
    sockets = Path("/tmp", f"machine-{os.getuid()}-{os.urandom(8).hex()}")
    paths.prepare(str(sockets))
    (sockets / paths.QMP).touch()
    socket = f"socket,id=qmp,path={sockets}/{paths.QMP},server=on,wait=off"
    record(tmp_path, paths.PID, start("-pidfile", str(tmp_path / paths.PID), "-chardev", socket))
    assert end(tmp_path)
    assert not sockets.exists()
