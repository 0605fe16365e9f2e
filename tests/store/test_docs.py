"""docs/store.md names the keys that are written, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from machine.store import PHASES, key_names

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text()
ROWS = {
    "top level": key_names.HOST,
    "`HostOptions`": key_names.OPTIONS,
    "`HostOptions.EngineOptions`": key_names.ENGINE,
    "`HostOptions.SwarmOptions`": key_names.SWARM,
    "`HostOptions.AuthOptions`": key_names.AUTH,
    "`Driver`, every driver": key_names.BASE_DRIVER,
    "`Driver`, read where present": key_names.ENDPOINT,
    "`Machine` (ours)": key_names.MACHINE,
    "`Machine`, read where present": key_names.MACHINE_OPTIONAL,
}


@pytest.mark.parametrize("row", ROWS)
def test_the_page_has_the_keys_in_their_order(row: str) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    assert re.findall(r"`(\w+)`", line.split("|")[2]) == list(ROWS[row])


def test_the_page_has_the_phases() -> None:
    assert ", ".join(f"`{phase}`" for phase in PHASES) in PAGE.replace("\n", " ")
