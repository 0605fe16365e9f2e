"""What is said: secrets stay hidden, and a log that cannot be written stops nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from machine.console import MASK, Console


def test_a_full_disk_under_the_log_stops_nothing(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    log = tmp_path / "machine.log"
    log.symlink_to("/dev/full")
    err = io.StringIO()
    Console(err).for_machine("dev", str(log)).step("Removing the machine")
    assert err.getvalue() == "(dev) Removing the machine\n"


def test_a_secret_that_begins_another_leaves_no_rest() -> None:
    console = Console(io.StringIO())
    for number in range(30):  # whichever way a set is walked, one of so many would come in the wrong order
        console.hide(f"token{number:02}-and-more")
        console.hide(f"token{number:02}")
    for number in range(30):
        assert console.mask(f"it is token{number:02}-and-more, not token{number:02}") == f"it is {MASK}, not {MASK}"


def test_a_log_forgets_its_older_half(tmp_path: Path) -> None:
    log = tmp_path / "machine.log"
    console = Console(io.StringIO()).for_machine("dev", str(log))
    for number in range(12):
        console.log("info", f"{number} " + "x" * 100_000)
    said = log.read_text().splitlines()
    assert log.stat().st_size <= 1 << 20
    assert said[-1].split()[2] == "11"
    assert said[0].split()[1:2] == ["info"], "whole lines"
    assert log.stat().st_mode & 0o777 == 0o600
