"""Processes in the background: found only while they are proven to run, started once, ended whatever they do."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from machine import background, background_control, lock
from machine.errors import LockHeld, MachineError, StoreError, WaitTimeout

WHAT = "serve dev"
SERVER = """
import signal, sys, time
from machine import background
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("it begins", flush=True)
time.sleep(float(sys.argv[2]))
with background.Hold(sys.argv[1], "serve dev"):
    time.sleep(60)
"""
PROC = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="finds processes in /proc, which is Linux's")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "lock"
    yield made
    for pid in servers(made):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that is nobody's business, which is to live on."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    assert process.poll() is None, "a stranger was ended"
    process.kill()
    process.wait()


def servers(path: Path) -> list[int]:
    """The processes of SERVER for this file that live."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if SERVER.encode() in words and os.fsencode(path) in words:
                found.append(int(entry))
    return found


def start(path: Path, *words: str, seconds: float = 30.0, ready: Callable[[int], bool] = bool) -> int:
    argv = [sys.executable, "-c", SERVER, str(path), *(words or ("0",))]
    log = str(path.with_name("log"))
    return background_control.start(str(path), WHAT, argv, log=log, seconds=seconds, ready=ready, resolution="do it")


def end(path: Path, seconds: float = 10.0, *, unwanted: bool = False) -> bool:
    return background_control.end(str(path), WHAT, seconds=seconds, unwanted=unwanted)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@PROC
def test_one_is_started_found_and_ended(path: Path) -> None:
    assert background.running(str(path)) == 0
    pid = start(path)
    assert servers(path) == [pid]
    assert os.getsid(pid) == pid, "it has a session of its own, so that it outlives this one"
    assert background.running(str(path)) == pid
    assert start(path) == pid
    assert end(path)
    until(lambda: not servers(path))
    assert background.running(str(path)) == 0
    assert not end(path)


@PROC
def test_of_two_that_start_at_once_one_process_stays(path: Path) -> None:
    found: list[int] = []
    threads = [Thread(target=lambda: found.append(start(path, "0.3"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [background.running(str(path))] * 2
    until(lambda: servers(path) == found[:1])


@PROC
def test_one_that_ignores_sigterm_is_killed(path: Path) -> None:
    pid = start(path, "0", "deaf")
    assert end(path, 0.3)
    until(lambda: pid not in servers(path))


@PROC
def test_the_file_of_a_killed_one_is_no_process_and_keeps_nobody_away(path: Path) -> None:
    os.kill(start(path), signal.SIGKILL)
    until(lambda: not background.running(str(path)))
    assert path.exists()
    assert background.missing(str(path))
    assert not end(path)
    assert start(path) == background.running(str(path)) > 0
    background_control.forget(str(path))
    assert path.exists(), "somebody has it"
    assert end(path)
    path.touch()
    background_control.forget(str(path))
    assert not path.exists()


def test_what_an_ended_process_has_left_is_removed_while_nobody_can_start(path: Path) -> None:
    """Else it would be what one that another command has started meanwhile has made."""
    free: list[bool] = []

    def clean() -> None:
        with path.open("r+") as other:
            free.append(lock.take(other.fileno()))

    path.touch()
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        background_control.forget(str(path), clean)
        assert free == []
    background_control.forget(str(path), clean)
    assert free == [False]
    background_control.forget(str(path), lambda: free.append(True))
    assert free == [False, True], "nobody has been there, and what is left is removed as well"


def test_a_number_that_is_another_process_by_now_is_not_believed(path: Path, stranger: int) -> None:
    """Nobody has the lock; then somebody has who has not written his own number yet."""
    for text in (f"{stranger} {WHAT}\n1\n", f"{stranger} {WHAT}\n{background.started(os.getpid())}x\n"):
        path.write_text(text)
        assert background.running(str(path)) == 0
        assert not end(path)
        with path.open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert background.running(str(path)) == 0
            with pytest.raises(MachineError, match="cannot be seen from here"):
                end(path)


@pytest.mark.parametrize("text", ["", "0 serve", "1", "-1", "x", "99999999999", "²", "\0" * 600])
def test_what_is_no_number_of_a_process_is_none(path: Path, text: str) -> None:
    path.write_text(text)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert background.running(str(path)) == 0


def test_one_of_an_older_version_has_written_its_number_only(path: Path) -> None:
    for text in (f"{os.getpid()}\n", f"{os.getpid()} forward the ports of dev\n"):
        path.write_text(text)
        with path.open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert background.running(str(path)) == os.getpid()


def test_those_that_look_are_not_taken_for_the_process(path: Path) -> None:
    """A killed process left its number, which is another program's by now: `running` is whom `--stop` ends."""
    path.write_text(f"{os.getpid()} {WHAT}\n")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # as a command does that looks
        assert background.running(str(path)) == 0
        assert background.missing(str(path))
        assert lock.holder(str(path)) == ""
    with background.Hold(str(path), WHAT):
        assert background.running(str(path)) == os.getpid()
        assert not background.missing(str(path))
        assert lock.holder(str(path)) == str(os.getpid())
    assert not path.exists()


def test_there_is_one_at_a_time_and_an_expected_one_only_if_expected(path: Path) -> None:
    with pytest.raises(FileNotFoundError), background.Hold(str(path), WHAT, expected=True):
        pass
    background.expect(str(path))
    assert not background.missing(str(path)), "it has time to come"
    os.utime(path, (0, 0))
    assert background.missing(str(path))
    with background.Hold(str(path), WHAT, expected=True) as held:
        with pytest.raises(LockHeld, match=f"process {os.getpid()} is there already to serve dev"):
            background.Hold(str(path), WHAT).__enter__()
        held.keep = True
    assert background.missing(str(path)), "its work goes on: another one is to be started"


def test_the_file_of_the_next_one_is_left_alone(path: Path) -> None:
    with background.Hold(str(path), WHAT):
        path.unlink()
        background.expect(str(path))
    assert path.exists()


def test_a_link_to_another_file_is_not_written_to(path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    path.symlink_to(tmp_path / "mine")
    with pytest.raises((OSError, StoreError)), background.Hold(str(path), WHAT, expected=True):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


@PROC
def test_one_that_fails_is_told_with_what_it_said(path: Path) -> None:
    with pytest.raises(MachineError, match="the process to serve dev has ended") as caught:
        start(path, "no number")
    assert "it begins" in caught.value.details
    assert "ValueError" in caught.value.details
    assert caught.value.resolution == "do it"


@PROC
def test_one_that_takes_too_long_is_ended(path: Path) -> None:
    with pytest.raises(WaitTimeout, match="after 1 s"):
        start(path, "0", seconds=1.0, ready=lambda _: False)
    until(lambda: not servers(path))


@PROC
def test_of_an_unwanted_one_the_file_goes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody starts it again; and if this command is killed then, it sees that and ends."""
    pid = start(path)
    seen: list[bool] = []
    send = signal.pidfd_send_signal

    def look(handle: int, number: int) -> None:
        seen.append(path.exists())
        send(handle, number)

    monkeypatch.setattr(signal, "pidfd_send_signal", look)
    assert end(path, unwanted=True)
    assert seen == [False]
    until(lambda: pid not in servers(path))


def test_one_of_another_user_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    monkeypatch.setattr(os, "kill", refuse)
    with background.Hold(str(path), WHAT), pytest.raises(MachineError, match="belongs to another user") as caught:
        end(path)
    assert caught.value.resolution == f"sudo kill {os.getpid()}"
