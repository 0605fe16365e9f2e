"""The command line cut into flags and names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.booleans import parse_bool
from machine.cli.tokenize import OPTIONAL, SWITCH, VALUE, tokenize
from machine.errors import UsageError

KNOWN = {"--driver": VALUE, "-d": VALUE, "--swarm": SWITCH, "-f": SWITCH, "-y": SWITCH, "-t": VALUE, "--tri": OPTIONAL}


def words(*argv: str) -> list[tuple[str, str]]:
    return [(w.flag, w.value) for w in tokenize(argv, lambda f: KNOWN.get(f, ""), lambda f: UsageError(f"unknown {f}"))]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["-driver", "x"], [("--driver", "x")]),
        (["--driver=x=y"], [("--driver", "x=y")]),
        (["-driver=x"], [("--driver", "x")]),
        (["-d", "x"], [("-d", "x")]),
        (["-d=x"], [("-d", "x")]),
        (["--d", "x"], [("-d", "x")]),
        (["-swarm=true"], [("--swarm", "true")]),
        (["--swarm=false"], [("--swarm", "false")]),
        (["-fy", "a"], [("-f", "true"), ("-y", "true"), ("", "a")]),
        (["-ft5"], [("-f", "true"), ("-t", "5")]),
        (["-ft", "5"], [("-f", "true"), ("-t", "5")]),
        (["a", "-f", "b"], [("", "a"), ("-f", "true"), ("", "b")]),
        (["-d", "-f"], [("-d", "-f")]),
        (["--", "-f"], [("", "-f")]),
        (["-"], [("", "-")]),
        (["--tri", "a"], [("--tri", ""), ("", "a")]),
        (["--tri=false"], [("--tri", "false")]),
    ],
)
def test_cut(argv: list[str], expected: list[tuple[str, str]]) -> None:
    assert words(*argv) == expected


@pytest.mark.parametrize("argv", [["--bogus"], ["-x"], ["-fx"], ["--driver"], ["-t"], ["--swarm=maybe"], ["--fy"]])
def test_refused(argv: list[str]) -> None:
    with pytest.raises(UsageError):
        words(*argv)


@given(st.lists(st.text(alphabet="-=dfyt swarmx", max_size=8)))
def test_anything_is_words_or_a_usage_error(argv: list[str]) -> None:
    try:
        found = words(*argv)
    except UsageError:
        return
    assert all(flag in KNOWN or flag == "" for flag, _ in found)


def test_truth() -> None:
    assert parse_bool("1", "x")
    assert parse_bool("TRUE", "x")
    assert not parse_bool("", "x")
    with pytest.raises(UsageError, match="MACHINE_DEBUG"):
        parse_bool("zz", "$MACHINE_DEBUG")
