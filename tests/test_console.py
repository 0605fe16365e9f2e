"""What is said, and in which of three looks: a terminal, plain lines, JSON; secrets stay hidden in all of them."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import time
from pathlib import Path

import pytest

from machine.console import Console
from machine.errors import MASK


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


def two_machines(console: Console) -> None:
    """The words on two machines that are made side by side, one of which fails."""
    good, bad = console.for_machine("good"), console.for_machine("bad-one")
    good.step("Checking what driver qemu needs")
    bad.step("Checking what driver qemu needs")
    good.step("Waiting for ssh")
    good.info("a fact")
    bad.failed("no quota is left")
    good.done("good is ready")


def test_plain_lines_where_nobody_looks() -> None:
    err = io.StringIO()
    two_machines(Console(err))
    assert err.getvalue().splitlines() == [
        "(good) Checking what driver qemu needs",
        "(bad-one) Checking what driver qemu needs",
        "(good) Waiting for ssh",
        "(good) a fact",
        "(bad-one) failed: no quota is left",
        "(good) good is ready",
    ]


def test_json_lines_for_programs() -> None:
    err = io.StringIO()
    two_machines(Console(err, log_format="json"))
    lines = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [(line["machine"], line["level"]) for line in lines] == [
        ("good", "step"),
        ("bad-one", "step"),
        ("good", "step"),
        ("good", "info"),
        ("bad-one", "failed"),
        ("good", "done"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"]) for line in lines)
    assert [line["seconds"] >= 0 for line in lines if "seconds" in line] == [True, True]


def shown(terminal: int) -> str:
    """All that has been written to a pseudo terminal, with its control sequences."""
    said, deadline = b"", time.monotonic() + 10  # moving lines never pause
    while select.select([terminal], [], [], 0.5)[0] and time.monotonic() < deadline:
        said += os.read(terminal, 1 << 16)
    return said.decode()


def plain(said: str) -> str:
    """The same without them."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


def test_one_moving_line_for_each_machine_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        console = Console(terminal)
        good, bad = console.for_machine("good"), console.for_machine("bad-one")
        good.step("Waiting for ssh")
        bad.step("Creating the machine")
        deadline, moving = time.monotonic() + 20, ""
        while not re.search("Creating the machine +0:00:01", moving) and time.monotonic() < deadline:
            moving = plain(moving + os.read(ours, 1 << 16).decode())
        bad.failed("no quota is left")
        good.done("good is ready")
        console.close()
        raw = shown(ours)
    os.close(ours)
    last = plain(raw)
    assert re.search(r"good +Waiting for ssh +0:00:01", moving)
    assert re.search(r"bad-one +Creating the machine +0:00:01", moving)
    assert re.search(r"\(bad-one\) failed: no quota is left \(\d+ s\)", last)
    assert re.search(r"\(good\) good is ready \(\d+ s\)", last)
    assert raw.rpartition("0:00:0")[2].count("\x1b[2K") >= 2, "both moving lines are wiped away at the end"


def test_a_narrow_terminal_takes_nothing_of_name_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        console = Console(terminal)
        long = console.for_machine("runner-7f3a-1763650000-4c1d")
        long.step("Checking the ports between runner-7f3a-1763650000-4c1d and head")
        deadline, said = time.monotonic() + 20, ""
        while "0:00:01" not in said and time.monotonic() < deadline:
            said = plain(said + os.read(ours, 1 << 16).decode())
        console.close()
        shown(ours)
    os.close(ours)
    assert re.search(r"runner-7f3a-1763650000-4c1d Checking the ports be… 0:00:01", said)


def test_what_a_thread_says_after_the_end_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        console = Console(terminal)
        late = console.for_machine("late")
        late.step("Waiting for ssh")
        console.close()
        shown(ours)
        late.step("Setting up Docker")
        said = shown(ours)
    os.close(ours)
    assert said.split() == ["(late)", "Setting", "up", "Docker"], "plain, and the cursor stays visible"
