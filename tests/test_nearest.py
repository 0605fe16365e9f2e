"""The known word that somebody may have meant."""

from __future__ import annotations

import pytest

from machine.nearest import nearest
from machine.swarm.cli_flags import did_you_mean

KNOWN = ["--advertise", "--strategy", "create", "inspect"]


@pytest.mark.parametrize(
    ("word", "found"),
    [("crate", "create"), ("--advertize", "--advertise"), ("-advertise", "--advertise"), ("zzz", ""), ("", "")],
)
def test_the_nearest_word(word: str, found: str) -> None:
    assert nearest(word, KNOWN) == found
    assert did_you_mean(word, KNOWN) == (f"did you mean {found}?" if found else ""), "the swarm's own answers alike"
