"""The page on the timeline of a create agrees with what was measured, and with the steps of the program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from machine.lifecycle.create import CREATE

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
PAGE = (ROOT / "docs" / "timeline.md").read_text(encoding="utf-8")
MEASURED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in PICTURES.glob("timeline-*.json")}


def files_on_the_page() -> dict[str, set[str]]:
    """The third column of the table of phases: the files that are new in each."""
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \| .*\|$", PAGE, re.MULTILINE)
    return {phase: set(re.findall(r"`([\w.-]+)`", cell)) - {"config.json"} for phase, cell in rows}


def new_files(phases: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Which files each phase has that the phase before had not."""
    before: set[str] = {"config.json"}
    found = {}
    for phase in phases:
        found[phase["phase"]] = set(phase["files"]) - before
        before |= set(phase["files"])
    return found


def test_the_page_names_the_phases_of_the_program_in_their_order() -> None:
    assert list(files_on_the_page()) == [step.name for step in CREATE]


def test_the_page_names_the_files_that_were_seen() -> None:
    assert files_on_the_page() == new_files(MEASURED["timeline-qemu"]["phases"])


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_the_steps_of_a_measured_create_follow_each_other(name: str) -> None:
    measured = MEASURED[name]
    at = 0.0
    for step in measured["steps"]:
        assert step["at"] == pytest.approx(at, abs=0.05)
        at = step["at"] + step["seconds"]
    assert measured["seconds"] == pytest.approx(at, abs=0.05)
    assert f"pictures/{name}.svg" in PAGE
