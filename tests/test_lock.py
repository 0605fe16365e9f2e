"""Locks hold between processes and threads, say who holds them, and are given back by the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from machine import lock
from machine.errors import StoreError

HOLDER = """
import sys, time
from machine import lock
with lock.hold(sys.argv[1], what="create dev"):
    print("held", flush=True)
    time.sleep(60)
"""

COUNTER = """
import sys
from machine import lock
for _ in range(25):
    with lock.hold(sys.argv[1], what="count"):
        with open(sys.argv[2]) as file:
            number = int(file.read())
        with open(sys.argv[2], "w") as file:
            file.write(str(number + 1))
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "certs.lock"
    process = holder(path)
    try:
        began = time.monotonic()
        with pytest.raises(StoreError) as caught, lock.hold(str(path), seconds=0.2, what="make certificates"):
            pass
        assert 0.2 <= time.monotonic() - began < 20  # it is held for a minute
        assert f"process {process.pid}" in caught.value.brief
        assert "create dev" in caught.value.details
        assert str(process.pid) in caught.value.resolution
    finally:
        process.kill()
        process.wait()


def test_kill_9_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    process = holder(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with lock.hold(str(path), seconds=0, what="go on"):
        assert path.read_text() == f"{os.getpid()} go on\n"
    assert path.read_text() == ""


def test_a_program_started_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with lock.hold(str(path), what="start"):
        child = subprocess.Popen(["sleep", "30"])
    try:
        with lock.hold(str(path), seconds=0, what="again"):
            pass
    finally:
        child.kill()
        child.wait()


def test_only_one_process_at_a_time(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    argv = [sys.executable, "-c", COUNTER, str(tmp_path / "x.lock"), str(counter)]
    for process in [subprocess.Popen(argv) for _ in range(4)]:
        assert process.wait(timeout=60) == 0
    assert counter.read_text() == "100"


def test_only_one_thread_at_a_time(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        with lock.hold(str(tmp_path / "x.lock"), seconds=20, what="work"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_removed_lock_file_does_not_make_two_holders(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    got = threading.Event()

    def wait_for_it() -> None:
        with lock.hold(str(path), seconds=20, what="wait"):
            got.set()

    with lock.hold(str(path), what="first"):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        time.sleep(0.15)
        path.unlink()
    waiter.join()
    assert got.is_set()
    assert path.exists(), "the waiter must have taken the lock that others see"


def test_an_error_inside_gives_it_back(tmp_path: Path) -> None:
    path = str(tmp_path / "x.lock")
    with pytest.raises(ZeroDivisionError), lock.hold(path, what="fail"):
        raise ZeroDivisionError
    with lock.hold(path, seconds=0, what="again"):
        pass


def test_a_place_that_cannot_be_written_is_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot lock"), lock.hold(str(tmp_path / "file" / "x.lock"), what="try"):
        pass


def test_the_directory_is_private(tmp_path: Path) -> None:
    with lock.hold(str(tmp_path / "locks" / "x.lock"), what="try"):
        assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "locks" / "x.lock").stat().st_mode & 0o777 == 0o600


def test_whoever_waits_long_is_told_once_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "QUIET_SECONDS", 0.2)
    path = tmp_path / "image.lock"
    said: list[str] = []
    with lock.hold(str(path), what="image", say=said.append):
        pass
    assert said == []
    process = holder(path)
    threading.Timer(1.0, process.kill).start()
    with lock.hold(str(path), what="image", say=said.append):
        process.wait()
    assert said == [f"waiting for process {process.pid} (create dev)"]


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_the_locks_of_a_user_lie_where_nobody_else_may_write() -> None:
    """Two stores meet there; HOME and the umask have no say."""
    before = os.umask(0)
    try:
        path = lock.of_user("test-of-user")
        with lock.hold(path, what="test"):
            assert lock.holder(lock.of_user("test-of-user")) == str(os.getpid())
            assert os.stat(os.path.dirname(path)).st_mode & 0o077 == 0
            assert os.stat(path).st_mode & 0o077 == 0
            lock.drop(path)
    finally:
        os.umask(before)
