from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.scheduler.linear_regex import LinearRegex

TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "AB",
    "a\n",
    "\n",
    "a\nb",
    "web-12",
    "/n1/web-12",
    "foo",
    "foofoo",
    "a_b a",
    "x" * 300 + "ab",
    "é",
]

EXPRESSIONS = [
    "",
    "web.*",
    "^(a|b)[0-9]+$",
    "(foo|bar)*$",
    "^(?:foo|bar){2,3}$",
    "^a?b?$",
    "a{0}b",
    r"\bweb\b",
    r"\Bb",
    r"a\Z",
    "a$",
    "^$",
    "(?m)^b",
    "(?m)a$",
    "a.b",
    "(?s)a.b",
    "(?i)ab",
    "(?i:A)B",
    "[^a-z]",
    r"[\w-]+\d",
    r"^\W",
    "(a*)*$",
    "(|a)+b",
    "()*",
    "^x{300}ab$",
    "a*?b",
    "(?x) a b # letters",
    r"(^a|b)*\n",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_it_finds_what_re_finds(expression: str) -> None:
    linear = LinearRegex(expression)
    for text in TEXTS:
        assert linear.search(text) is linear.automaton.search(text) is (re.search(expression, text) is not None), text


LEAVES = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "^", "$", r"\b", r"\B", r"\Z", ""])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,2}", "{0}"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
        inner.map(lambda text: f"(?i:{text})"),
        inner.map(lambda text: f"(?m:{text})"),
    ),
    max_leaves=6,
)


@given(TREES, st.text("aAb\n ", max_size=8))
def test_it_finds_what_re_finds_for_any_expression(expression: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = re.search(expression, text) is not None
    assert LinearRegex(expression).automaton.search(text) is wanted


def test_what_it_remembers_is_bounded_and_forgetting_changes_nothing() -> None:
    linear = LinearRegex("(a|b)*a(a|b){40}c$")
    text = "".join("ab"[number * number % 7 % 2] for number in range(5000))
    assert linear.search(text + "a" + "b" * 40 + "c")
    assert not linear.search(text)
    assert linear.automaton.remembered < 10_000


@pytest.mark.parametrize(
    "expression",
    ["a{1001}", "(?:a{100}){100}", "(?:(?:){1000}){1000}", "(?:){4000000000}", r"(a)\1", "(?<!a)b", "(?(1)a|b)()"],
)
def test_what_is_too_big_or_needs_memory_is_refused(expression: str) -> None:
    with pytest.raises(re.error):
        LinearRegex(expression)
