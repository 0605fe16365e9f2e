from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.cluster.status import NEVER, duration, read, same


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "Less than a second"), (1, "1 second"), (59.9, "59 seconds"), (60, "About a minute"), (125, "2 minutes"),
        (3599, "59 minutes"), (3600, "About an hour"), (5399, "About an hour"), (5400, "2 hours"),
        (47.4 * 3600, "47 hours"), (48 * 3600, "2 days"), (13.9 * 86400, "13 days"), (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"), (60 * 86400, "2 months"), (729 * 86400, "24 months"), (730 * 86400, "2 years"),
    ],
)  # fmt: skip
def test_the_words_of_docker(seconds: float, words: str) -> None:
    assert duration(seconds)[0] == words


@given(st.floats(0, 5 * 365 * 86400))
def test_the_words_hold_for_as_long_as_is_said(seconds: float) -> None:
    words, lasts = duration(seconds)
    assert lasts > 0
    assert duration(seconds + lasts * 0.49)[0] == words


@pytest.mark.parametrize(
    ("said", "later", "words"),
    [
        ("Up 5 minutes", 60, "Up 6 minutes"),
        ("Up 5 minutes (healthy)", 60, "Up 6 minutes (healthy)"),
        ("Up About a minute (Paused)", 60, "Up 2 minutes (Paused)"),
        ("Exited (137) 2 hours ago", 3600, "Exited (137) 3 hours ago"),
        ("Restarting (1) 5 seconds ago", 1, "Restarting (1) 6 seconds ago"),
        ("Up Less than a second", 90, "Up About a minute"),
        ("Created", 9999, "Created"),
        ("Dead", 9999, "Dead"),
        ("Up for ever", 9999, "Up for ever"),
        ("", 1, ""),
    ],
)
def test_a_status_goes_on(said: str, later: int, words: str) -> None:
    assert read(said, 1000.0).at(1000.0)[0] == said
    assert read(said, 1000.0).at(1000.0 + later)[0] == words


@given(st.text(max_size=50))
def test_any_text_is_kept(text: str) -> None:
    words, until = read(text, 1000.0).at(1000.0)
    assert words == text
    assert until > 1000.0


def test_the_older_knowledge_is_kept_while_the_words_agree() -> None:
    old = read("Up 5 minutes", 1000.0)
    assert same(old, read("Up 5 minutes", 1030.0), 1030.0)
    assert not same(old, read("Up 5 minutes", 1100.0), 1100.0)
    assert not same(old, read("Exited (0) 5 minutes ago", 1030.0), 1030.0)
    assert read("x", 0).at(0)[1] == NEVER
