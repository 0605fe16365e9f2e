"""Words cut into flags and others: the swarm, which goes to machines alone, reads them as `machine` does."""

from __future__ import annotations

import pytest

from machine.cli.tokenize import SWITCH, VALUE
from machine.cli.tokenize import tokenize as of_machine
from machine.errors import UsageError
from machine.swarm.flag_tokens import tokenize

FLAGS = {"--host": VALUE, "--tls": SWITCH, "-H": VALUE}


def find(name: str) -> tuple[str, bool]:
    """The flag of that name, with one dash or two, and whether a value follows it."""
    declared = name if name in FLAGS else f"-{name}"
    if declared not in FLAGS:
        raise UsageError(f"no flag {name}")
    return declared, FLAGS[declared] == VALUE


def unknown(name: str) -> UsageError:
    """The error for a flag that does not exist."""
    return UsageError(f"no flag {name}")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a b",
        "--host h a",
        "a --host=h",
        "-host h",
        "-H h --tls",
        "--tls=false a",
        "-tls=T",
        "--host= a",
        "--host --tls",
        "a -- --host b --",
        "- a",
    ],
)
def test_both_read_a_line_alike(line: str) -> None:
    words = line.split(" ") if line else []
    ours = [(token.flag, token.value) for token in tokenize(words, find)]
    assert ours == [(token.flag, token.value) for token in of_machine(words, lambda flag: FLAGS.get(flag, ""), unknown)]


@pytest.mark.parametrize("line", ["--what", "--host", "--tls=maybe"])
def test_both_refuse_a_line_alike(line: str) -> None:
    with pytest.raises(UsageError):
        list(tokenize([line], find))
    with pytest.raises(UsageError):
        list(of_machine([line], lambda flag: FLAGS.get(flag, ""), unknown))
