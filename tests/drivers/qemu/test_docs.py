"""docs/drivers/qemu.md names every option, with its variable and default."""

from __future__ import annotations

from pathlib import Path

from machine.drivers.qemu.options import OPTIONS

PAGE = Path(__file__).parents[3] / "docs" / "drivers" / "qemu.md"


def test_the_table_of_options_is_true() -> None:
    rows = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `--qemu-"):
            flag, variable, default, _ = (cell.strip().strip("`") for cell in line.strip("|").split("|", 3))
            rows[flag.removeprefix("--")] = (variable, default)
    assert rows == {
        option.name: (option.env, "" if option.default is None else str(option.default)) for option in OPTIONS
    }
