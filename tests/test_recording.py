"""The recording of a create that was cut short and resumed: well-formed, and at its end the machine is ready."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CAST = ROOT / "docs" / "pictures" / "resume.cast"


@pytest.fixture(scope="module")
def lines() -> list[Any]:
    return [json.loads(line) for line in CAST.read_text(encoding="utf-8").splitlines()]


def test_the_header_is_that_of_an_asciicast(lines: list[Any]) -> None:
    header = lines[0]
    assert header["version"] == 2
    assert 20 <= header["width"] <= 120
    assert 5 <= header["height"] <= 40
    assert set(header["env"]) <= {"TERM", "SHELL"}  # nobody's own variables


def test_events_are_output_in_order_without_long_pauses(lines: list[Any]) -> None:
    assert len(lines) > 50
    for at, kind, text in lines[1:]:
        assert isinstance(at, float)
        assert (kind, type(text)) == ("o", str)
    pauses = [later[0] - earlier[0] for earlier, later in pairwise(lines[1:])]
    assert min(pauses) >= 0
    assert max(pauses) <= lines[0]["idle_time_limit"] + 0.01


def test_the_last_screen_tells_the_whole_story() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "draw-recording"), "--text"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = [
        "machine create dev",
        "interrupted; dev is incomplete",
        "create --resume dev",
        "dev is ready: Docker behind",
    ]
    places = [done.stdout.find(text) for text in told]
    assert -1 not in places, done.stdout
    assert places == sorted(places)
    assert done.stdout.rstrip().endswith('eval "$(machine env dev)"\n$')
