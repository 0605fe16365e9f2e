"""`machine drivers`, and flags of a driver that was not chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.drivers.registry import TABLE, find
from tests.cli.typed import StoreWithEngines


def test_all_drivers_with_what_they_are_and_need(cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli.type("drivers", PATH="/nonexistent").out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(TABLE)
    assert max(len(line) for line in lines) < 80
    at = next(number for number, line in enumerate(lines) if line.startswith("generic "))
    assert "taken over as it is" in lines[at]
    assert lines[at + 1].strip().startswith("needs --generic-ip-address")
    rows = json.loads(cli.type("drivers", "--json").out)
    assert all(row["Machine"] and row["Needs"] for row in rows)


@pytest.mark.parametrize("name", TABLE)
def test_the_page_of_a_driver_has_all_its_flags(cli: StoreWithEngines, name: str) -> None:
    page = cli.type("drivers", name)
    assert (page.status, page.err) == (0, "")
    assert all(f"--{option.name}" in page.out for option in find(name).traits.options)
    found = json.loads(cli.type("drivers", "--json", name).out)
    assert [option["Flag"] for option in found[0]["Options"]] == [
        f"--{option.name}" for option in find(name).traits.options
    ]


def test_a_driver_that_does_not_exist(cli: StoreWithEngines) -> None:
    typed = cli.type("drivers", "qemo", PATH="/nonexistent")
    assert (typed.status, "did you mean qemu?" in typed.err) == (2, True)


def test_a_driver_that_does_not_load_is_a_row(
    cli: StoreWithEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "bad-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[machine.drivers]\nbad = no_such_module:Driver\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    typed = cli.type("drivers")
    assert (typed.status, typed.err) == (0, "")
    assert "bad            the driver bad of the Python package bad cannot be loaded" in typed.out


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        (["--amazonec2-region", "x"], "-d amazonec2 is missing"),
        (["--azure-location=x"], "-d azure is missing"),
        (["-d", "none", "--qemu-memory", "1"], "-d qemu is missing"),
        (["-generic-ip-address", "h"], "-d generic is missing"),
        (["--amazonec2-nosuch", "x"], "machine drivers amazonec2"),
        (["--engine-lable", "a=b"], "--engine-label"),
    ],
)
def test_a_flag_of_another_driver_says_which_is_missing(cli: StoreWithEngines, line: list[str], advice: str) -> None:
    typed = cli.type("create", *line, "m")
    assert (typed.status, advice in typed.err) == (2, True), typed.err


def test_the_help_of_create_names_every_driver_and_has_examples(cli: StoreWithEngines) -> None:
    said = cli.type("create", "--help").out
    assert all(name in said.partition("options:")[0] for name in TABLE)
    assert said.count("\n  machine create ") == 2
