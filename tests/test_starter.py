"""What is forked does and says what a start of its own does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.program import Ended, Program

LINES = (
    (["version"], 0),
    (["ls", "-q"], 0),
    (["ls", "--no-such-flag"], 2),
    (["rm", "-y", "none-of-this-name"], 4),
    (["env", "none-of-this-name"], 4),
    (["create", "-d", "generic", "--generic-ip-address", "127.0.0.9", "--generic-ssh-port", "9", "x"], 3),
)
CREATE = ["create", "-d", "none", "--url", "tcp://127.0.0.1:9", "x"]


def really_started(program: Program, line: list[str]) -> Ended:
    """The same line, by an interpreter of its own."""
    return program.run(["env", sys.executable, "-m", "machine", *line], "", 60, {})


@pytest.mark.parametrize(("line", "status"), LINES, ids=[line[0] + str(n) for n, (line, _) in enumerate(LINES)])
def test_it_ends_and_prints_as_a_real_start(tmp_path: Path, line: list[str], status: int) -> None:
    program = Program(tmp_path / "user")
    forked = program(*line)
    assert forked.status == status
    assert forked == really_started(program, line)


def test_variables_and_the_directory_are_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(tmp_path / "user")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", "gone before the program starts")
    assert program("-s", "here", "ls").fine()
    assert program("env", "--shell", "fish", "-u", environ={"SHELL": "/bin/tcsh"}).fine().out.startswith("set -e")
    assert program("env", "-u", environ={"SHELL": "/bin/tcsh"}).fine().out.startswith("unsetenv")


def test_a_kill_is_its_status(tmp_path: Path) -> None:
    assert Program(tmp_path / "user").killed(tmp_path / "log", "after Store.add 1", *CREATE).status == -signal.SIGKILL


def test_what_does_not_end_in_time_is_ended(tmp_path: Path) -> None:
    """It waits at a pipe that nobody writes; the status would come only when it is no more."""
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    script = ["tests.killable", str(tmp_path / "pipe"), "never"]  # opens its log to write, and nobody reads
    with pytest.raises(subprocess.TimeoutExpired):
        Program(tmp_path / "user").run([sys.executable, "-m", *script, *CREATE], "", 1, {})
    assert time.monotonic() - began < 60


def test_many_at_once(tmp_path: Path) -> None:
    programs = [Program(tmp_path / str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda program: program("version").fine().out, programs))
    assert len(said) == 8
    assert len(set(said)) == 1


def test_no_zombie_and_no_open_file_stays(tmp_path: Path) -> None:
    program = Program(tmp_path / "user")
    program("version").fine()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        program("version").fine()
    assert len(os.listdir("/proc/self/fd")) <= before
