"""A command line, or the words after a backend's name, cut into flags and other words. Pure; knows no flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from machine.errors import UsageError
from machine.swarm.parsing import booleans


class Token(NamedTuple):
    """One flag with its value, or one other word."""

    flag: str  # as it is declared; "" for another word, which is the value then
    value: str  # of a switch "true" or "false"


def tokenize(argv: Sequence[str], find: Callable[[str], tuple[str, bool]]) -> Iterator[Token]:
    """Read `--flag value`, `--flag=value` and `-flag`, flags and words in any order; after `--` all are words.

    `find` gets a flag as it was typed and returns the flag as it is declared, and whether a value follows; it raises
    for one that does not exist. Raises UsageError for a value that is missing, or is neither true nor false.
    """
    queue = list(argv)
    while queue:
        arg = queue.pop(0)
        if arg == "--":
            yield from (Token("", positional) for positional in queue)
            return
        if len(arg) < 2 or not arg.startswith("-"):
            yield Token("", arg)
            continue
        name, equals, value = arg.partition("=")
        flag, takes_value = find(name)
        if not takes_value:
            yield Token(flag, _switch(value, name) if equals else "true")
        elif equals:
            yield Token(flag, value)
        elif queue:
            yield Token(flag, queue.pop(0))
        else:
            raise UsageError(f"{name} needs a value", resolution=f"write {name}=VALUE")


def _switch(value: str, name: str) -> str:
    found = booleans.parse_go(value)
    if found is None:
        raise UsageError(f"{name} is true or false, not {value!r}")
    return "true" if found else "false"
