"""`machine set` as typed: which flags it has, and what it says to those that no machine of the line has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.lines import CommandLine, change, none


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--qemu-image", "x"], 2, "--qemu-image is decided when a machine is made"),
        (["--qemu-bogus", "1"], 2, "no flag --qemu-bogus"),
        (["--generic-ip-address", "x"], 2, "of machines of the driver generic, nothing can be changed"),
        (["--qemu-memory", "much"], 2, "--qemu-memory must be a whole number"),
        ([], 1, "the driver none cannot change a machine"),
        (["--qemu-memory", "1024"], 1, "the driver none cannot change a machine"),
    ],
)
def test_what_cannot_be_changed(store: Path, flags: list[str], status: int, said: str) -> None:
    none("m")
    typed = CommandLine(["set", "m", *flags])
    assert (typed.status, typed.out) == (status, "")
    assert said in typed.err
    assert "Try: " in typed.err
    assert "Traceback" not in typed.err


def test_all_machines_are_looked_at_before_the_first_is_changed(store: Path) -> None:
    none("a")
    none("b")
    change(store, "qemu", "a")
    typed = CommandLine(["set", "a", "b", "--qemu-memory", "1024"])
    assert typed.status == 1
    assert "the driver none cannot change a machine" in typed.err
    assert "Memory" not in (store / "machines" / "a" / "config.json").read_text().replace('"Memory": 0', "")


def test_variables_of_create_do_not_count(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none("m")
    change(store, "qemu", "m")
    monkeypatch.setenv("QEMU_MEMORY", "4096")
    typed = CommandLine(["set", "m"])
    assert typed.status == 2
    assert "set needs something to change of m" in typed.err
    assert "--qemu-memory" in typed.err


def test_a_machine_that_is_not_there(store: Path) -> None:
    assert CommandLine(["set", "nope", "--qemu-memory", "1024"]).status == 4


def test_the_help_has_the_flags_of_all_drivers_without_defaults(store: Path) -> None:
    shown = CommandLine(["set", "--help"]).out
    assert "--qemu-memory NUMBER" in shown
    assert "$QEMU_MEMORY" not in shown
    assert "--qemu-image" not in shown
