"""Scheduling expressions, `KEY==VALUE` and `KEY!=VALUE`, as classic Swarm reads them. Pure.

A value may start with `~` (soft: dropped when nothing fits otherwise) and is a glob with `*`, or a regular
expression between slashes. Only `*` means something in a glob; every other sign stands for itself.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from machine.swarm.scheduler.linear_regex import LinearRegex

_KEY = re.compile(r"[a-z_][a-z0-9\-_.]+\Z", re.IGNORECASE)
_VALUE = re.compile(r"[=!/]?~?[a-z0-9:\-_\s.*/()?+\[\]\\^$|]+\Z", re.IGNORECASE)
LONGEST = 1024  # characters of one expression

EQUAL, UNEQUAL = "==", "!="


class BadExpression(ValueError):
    """The text is no expression; says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed expression. `value` has neither `~` nor, for a regular expression, its slashes taken off."""

    key: str
    operator: str  # EQUAL or UNEQUAL
    value: str
    soft: bool = False

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{'~' if self.soft else ''}{self.value}"

    def matches(self, candidates: Iterable[str]) -> bool:
        """Whether one of the candidates fits (`==`), or none does (`!=`)."""
        search = pattern(self.value).search
        found = any(search(candidate) for candidate in candidates)
        return found if self.operator == EQUAL else not found


def parse(text: str) -> Expression:
    """The expression in `text`. Raises BadExpression if it is none. `==` is looked for before `!=`."""
    if len(text) > LONGEST:
        raise BadExpression(f"expression of {len(text)} characters; {LONGEST} is the limit")
    operator = EQUAL if EQUAL in text else UNEQUAL
    key, found, value = text.partition(operator)
    if operator == UNEQUAL:
        key = key.removesuffix("\\")  # KEY\!=VALUE is what an interactive shell leaves of "KEY\!=VALUE"
    if not found:
        raise BadExpression(f"One of operator ==, != is expected, and {text!r} has neither")
    if not _KEY.match(key):
        raise BadExpression(
            f"Key {_quote(key)} is invalid in {text!r}: it is a letter or _ followed by letters, digits, - _ or ."
        )
    if not _VALUE.match(value):
        raise BadExpression(
            f"Value {_quote(value)} is invalid in {text!r}: it is empty or has characters that are not allowed"
        )
    soft = value.startswith("~")
    expression = Expression(key, operator, value.removeprefix("~"), soft)
    pattern(expression.value)
    return expression


def _quote(text: str) -> str:
    """A text as classic Swarm's messages have it, whatever is in it."""
    return "'" + text.encode("unicode_escape").decode("ascii") + "'"


class Matcher(Protocol):
    """A compiled value: a pattern of `re`, or a LinearRegex."""

    def search(self, string: str, /) -> object:
        """What is true if the value is found in a string."""


@lru_cache(maxsize=4096)
def pattern(value: str) -> Matcher:
    """What a value looks for, compiled. Raises BadExpression for a regular expression that is wrong or too big.

    Its search takes time linear in the text, for a glob of `n` stars `n` times that.
    """
    if len(value) > 1 and value[0] == value[-1] == "/":
        return _regex(value[1:-1])
    first, *middle = (re.escape(part) for part in value.split("*"))
    last = ".*" + middle.pop() if middle else ""
    middle_patterns = (
        f"(?>.*?{part})" for part in middle
    )  # the first place that fits is as good as any: never tried again
    return re.compile("^" + first + "".join(middle_patterns) + last + r"\Z", re.DOTALL)


@lru_cache(maxsize=256)  # each may take some hundred KiB
def _regex(text: str) -> LinearRegex:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return LinearRegex(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadExpression(f"the regular expression {text!r} cannot be used: {error}") from error
