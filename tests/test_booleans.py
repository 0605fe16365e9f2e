"""True and false as text: one reading of it in the program, and Go's spellings the same in the swarm."""

from __future__ import annotations

import pytest

from machine import booleans
from machine.errors import UsageError
from machine.swarm.parsing import booleans as of_swarm


@pytest.mark.parametrize("text", [*booleans.GO_TRUE, "yes", "on", " ON "])
def test_what_is_true(text: str) -> None:
    assert booleans.parse_bool(text, "--flag") is True


@pytest.mark.parametrize("text", [*booleans.GO_FALSE, "no", "off", ""])
def test_what_is_false(text: str) -> None:
    assert booleans.parse_bool(text, "--flag") is False


def test_other_text_is_refused_by_the_name_of_its_source() -> None:
    with pytest.raises(UsageError, match=r"^--flag must be true or false, not 'maybe'$"):
        booleans.parse_bool("maybe", "--flag")


def test_the_swarm_has_the_spellings_of_go_as_the_program_has_them() -> None:
    assert (of_swarm.GO_TRUE, of_swarm.GO_FALSE) == (booleans.GO_TRUE, booleans.GO_FALSE)
    assert [of_swarm.parse_go(text) for text in ("T", "false", "yes", "")] == [True, False, None, None]


@pytest.mark.parametrize("text", ["", "0", "no", "False", "NONE", " false "])
def test_arguments_of_a_query_are_true_unless_they_say_false(text: str) -> None:
    assert of_swarm.argument(text) is False
    assert of_swarm.argument("anything") is True
