"""Programs on our own terminal: machine.process.foreground."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from machine import process
from machine.errors import CommandFailed


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("exit 0", 0), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
)
def test_status(script: str, status: int) -> None:
    assert process.foreground(["sh", "-c", script]) == status


def test_streams_are_ours(capfd: pytest.CaptureFixture[str]) -> None:
    process.foreground(["sh", "-c", "echo out; echo err >&2"])
    assert capfd.readouterr() == ("out\n", "err\n")


def test_a_missing_program() -> None:
    with pytest.raises(CommandFailed, match="no-such-program is not installed"):
        process.foreground(["no-such-program"])


@pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "TERM"), (signal.SIGHUP, "HUP")])
def test_signals_to_us_reach_it_and_ctrl_c_does_not_end_us(
    number: signal.Signals, word: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(number)

    def send() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), number)

    threading.Timer(0.5, send).start()
    script = f"trap 'echo {word}; exit 4' {word}; i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done"
    assert process.foreground(["sh", "-c", script]) == 4
    assert capfd.readouterr().out == f"{word}\n"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(number)) == before


def test_a_program_for_another_processor(tmp_path: Path) -> None:
    program = tmp_path / "odd"
    program.write_bytes(b"\x7fELF, or so it says")
    program.chmod(0o755)
    for run in (process.foreground, process.run):
        with pytest.raises(CommandFailed, match="odd cannot be run: Exec format error"):
            run([str(program)])
