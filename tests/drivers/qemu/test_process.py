"""Only the machine's own qemu is ever found, by pid file or by uuid. Real processes stand in for qemu."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from machine.drivers.qemu import paths, process
from machine.process import run
from tests.drivers.qemu.conftest import Start

UUID = str(uuid.uuid4())  # of this process alone: other workers run these tests at the same time


def machine(directory: Path, pid: int | str) -> str:
    (directory / paths.PID).write_text(f"{pid}\n")
    return str(directory / paths.PID)


def test_by_its_pid_file(tmp_path: Path, start: Start) -> None:
    pid = start("-uuid", UUID, "-pidfile", str(tmp_path / paths.PID))
    machine(tmp_path, pid)
    assert process.find(str(tmp_path), UUID, run) == pid


def test_by_its_uuid_when_the_pid_file_is_lost(tmp_path: Path, start: Start) -> None:
    pid = start("-uuid", UUID, "-pidfile", str(tmp_path / paths.PID))
    assert process.find(str(tmp_path), UUID, run) == pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("there", [True, False])
def test_a_process_of_another_user_is_no_machine_whatever_its_words(tmp_path: Path, there: bool) -> None:
    """Unless the machine's directory is that user's, and this is root who looks after it."""
    pidfile = str(tmp_path / paths.PID) if there else "/nonexistent/pid"
    words = ["sh", "-c", "echo; read _", "sh", "-uuid", UUID, "-pidfile", pidfile]
    with subprocess.Popen(words, user=12345, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert process.find(str(tmp_path), UUID, run) == 0
        machine(tmp_path, other.pid)
        assert process.find(str(tmp_path), UUID, run) == 0
        os.chown(tmp_path, 12345, 12345)
        assert process.find(str(tmp_path), UUID, run) == other.pid
        other.kill()


@pytest.mark.parametrize("text", ["", "x", "-1", "99999999999999", "1"])
def test_a_pid_file_that_lies(tmp_path: Path, text: str) -> None:
    machine(tmp_path, text)
    assert process.find(str(tmp_path), UUID, run) == 0


def test_a_pid_that_was_given_to_a_stranger(tmp_path: Path, start: Start) -> None:
    pid = start("-uuid", "another", "-pidfile", str(tmp_path / paths.PID))
    machine(tmp_path, pid)
    assert process.find(str(tmp_path), UUID, run) == 0


def test_the_machine_of_a_copied_store_is_not_ours(tmp_path: Path, start: Start) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    pid = start("-uuid", UUID, "-pidfile", str(theirs / paths.PID))
    machine(theirs, pid)
    machine(ours, pid)
    assert process.find(str(ours), UUID, run) == 0
    assert process.find(str(theirs), UUID, run) == pid


def test_a_store_that_was_moved_keeps_its_machine(tmp_path: Path, start: Start) -> None:
    pid = start("-uuid", UUID, "-pidfile", str(tmp_path / "old" / paths.PID))
    machine(tmp_path, pid)
    assert process.find(str(tmp_path), UUID, run) == pid


def test_ending(tmp_path: Path, start: Start) -> None:
    pid = start("-uuid", UUID, "-pidfile", str(tmp_path / paths.PID))
    process.end(pid)
    process.end(pid)
    deadline = time.monotonic() + 30  # the kernel takes its time on a busy host
    while process.find(str(tmp_path), UUID, run) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.find(str(tmp_path), UUID, run) == 0


def test_a_process_is_gone_when_its_ports_are_free(start: Start) -> None:
    pid = start("any")
    assert not process.gone(pid)
    process.end(pid)
    deadline = time.monotonic() + 30
    while not process.gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.gone(pid), "dead, though its parent has not waited for it"


def test_a_leader_that_ended_before_its_threads_is_not_gone() -> None:
    """Its files are open as long as one thread runs."""
    script = (
        "import ctypes, threading, sys\n"
        "threading.Thread(target=sys.stdin.read).start()\n"
        "print(flush=True)\n"
        "ctypes.CDLL(None).syscall(60 if __import__('platform').machine() == 'x86_64' else 93, 0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as made:
        assert made.stdout is not None
        made.stdout.readline()
        time.sleep(0.3)
        assert not process.gone(made.pid)
        made.kill()
        made.communicate()
        assert process.gone(made.pid)
