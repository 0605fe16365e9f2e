"""The serial console's file, and what it gives away."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.images import console

PANIC = (
    "[    1.2] VFS: Unable to mount root fs\r\n[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n"
)


def test_a_file_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert console.read(str(tmp_path / "console.log")) == ""


def test_whatever_a_machine_prints_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"\x1b[2J\xff\xfe boot\n" + PANIC.encode())
    assert "Kernel panic" in console.read(str(path))


def test_of_a_machine_that_prints_without_end_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, 2)
        file.write(PANIC.encode())
    found = console.read(str(path))
    assert "Kernel panic" in found
    assert len(found) <= console.LONGEST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PANIC, "panicked"),
        ("You are in emergency mode. After logging in, type", "emergency"),
        ("login: ", ""),
        ("", ""),
    ],
)
def test_what_it_tells(text: str, words: str) -> None:
    assert words in console.diagnose(text)
    assert bool(console.diagnose(text)) is bool(words)
