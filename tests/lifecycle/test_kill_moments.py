"""Which of the moments of a create are tried: none that is the same as the one before it, all others."""

from __future__ import annotations

from tests.lifecycle.kill_moments import distinct


def test_only_what_comes_right_after_a_call_of_the_same_kind_is_left_out() -> None:
    passed = ["before a.x 1", "before a.y 1", "after a.y 1", "before a.y 2", "after a.y 2", "after a.x 1"]
    assert distinct([*passed, "before a.y 3"]) == [*passed[:3], *passed[4:], "before a.y 3"]
