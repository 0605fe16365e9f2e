from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.scheduler.expressions import BadExpression, Expression, parse, pattern


@pytest.mark.parametrize(
    ("text", "key", "operator", "value", "soft"),
    [
        ("node==n1", "node", "==", "n1", False),
        ("node!=n1", "node", "!=", "n1", False),
        ("storage==~ssd", "storage", "==", "ssd", True),
        ("region!=~us*", "region", "!=", "us*", True),
        ("node==/n[12]/", "node", "==", "/n[12]/", False),
        ("com.example.x-y==a b", "com.example.x-y", "==", "a b", False),
        ("ab===x", "ab", "==", "=x", False),
    ],
)
def test_the_parts_of_an_expression(text: str, key: str, operator: str, value: str, soft: bool) -> None:
    assert parse(text) == Expression(key, operator, value, soft)


@pytest.mark.parametrize(
    "text",
    ["", "node", "node=", "node==", "==x", "a==x", "1a==x", "no de==x", "node=x", "node==x@y", "n!=b==c", "x" * 2000],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text)


def test_a_glob_is_anchored_and_only_the_star_is_special() -> None:
    assert parse("node==web*").matches(["web12"])
    assert not parse("node==web*").matches(["myweb"])
    assert not parse("node==v1.2").matches(["v1x2"])
    assert parse("node==v1.2").matches(["v1.2"])
    assert parse("node==a(b)[c]").matches(["a(b)[c]"])
    assert not parse("node==web").matches(["web\n"])


def test_a_regular_expression_is_not_anchored() -> None:
    assert parse("node==/eb[12]/").matches(["web1"])
    assert not parse("node!=/eb[12]/").matches(["x", "web1"])
    assert parse("node==/(?i)WEB/").matches(["web1"])


def test_unequal_means_none_of_them() -> None:
    assert parse("node!=x").matches([])
    assert not parse("node==x").matches([])
    assert not parse("node!=x").matches(["y", "x"])


@pytest.mark.parametrize(
    "text", ["/(/", "/[/", "/(a)\\1/", "/(?=a)b/", "/(?>a*)b/", "/a*+b/", "/" + "(a?a?a?)" * 300 + "/"]
)
def test_a_regular_expression_that_is_none_or_cannot_be_matched_in_linear_time_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        pattern(text)


SLOW_FOR_RE = ["(a+)+$", "(a|a)*b", "(a?a?){20}b", "((a|b)+c*)+d", "a*a*a*a*a*a*b", "^a+b+c+$", "(a|b)*a(a|b){300}c"]


@pytest.mark.parametrize("text", SLOW_FOR_RE)
def test_no_regular_expression_takes_more_than_linear_time(text: str) -> None:
    matcher = pattern(f"/{text}/")
    start = time.process_time()
    matcher.search("a" * 30 + "!")
    matcher.search("a" * 4000 + "!")
    assert time.process_time() - start < 1


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        expression = parse(text)
    except BadExpression:
        return
    assert parse(str(expression)) == expression
    expression.matches([text, "", "x"])


@given(
    st.from_regex(r"\A[a-z_][a-z0-9\-_.]{1,8}\Z"),
    st.sampled_from(["==", "!="]),
    st.booleans(),
    st.from_regex(r"\A[a-z0-9:_. ()?+$|\[\]^\\-]{1,12}\Z"),
)
def test_a_value_without_a_star_matches_exactly_itself(key: str, operator: str, soft: bool, value: str) -> None:
    expression = parse(f"{key}{operator}{'~' if soft else ''}{value}")
    assert expression.soft is soft
    assert expression.matches([value]) is (operator == "==")
    assert expression.matches([value + "x", "x" + value]) is (operator == "!=")


@given(st.text("ab*", min_size=1, max_size=12), st.text("ab", max_size=12))
def test_globs_match_what_a_shell_would(glob: str, text: str) -> None:
    assert Expression("node", "==", glob).matches([text]) == fnmatchcase(text, glob)


def test_a_glob_of_many_stars_takes_no_time() -> None:
    began = time.perf_counter()
    assert not Expression("node", "==", "*a" * 400 + "*b").matches(["a" * 3000])
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("node=n1", "One of operator ==, != is expected"),
        ("1a==x", "Key '1a' is invalid"),
        ("no\nde==x", r"Key 'no\\nde' is invalid"),
        ("node==", "Value '' is invalid"),
        ("node==x@y", "Value 'x@y' is invalid"),
    ],
)
def test_what_is_wrong_is_said_as_classic_swarm_said_it(text: str, phrase: str) -> None:
    with pytest.raises(BadExpression) as error:
        parse(text)
    assert phrase.replace("\\\\", "\\") in str(error.value)
