"""What the JSON of an engine has to look like: checks built from small ones. Pure.

A check takes a value and raises WrongShape, whose text says where and what ("[3].Names is not a list"). As Go reads
JSON, a field may be missing, and null stands for nothing; fields that nobody here knows may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from machine.swarm import limits
from machine.swarm.api import bounded_json
from machine.swarm.parsing.request_json import normalize_key_case
from machine.swarm.printable import is_printable, printable

Check = Callable[[Any], None]
Field = Check | type  # str, bool, and int (of 64 bits) stand for themselves

_IDENTITY = re.compile(r"[A-Za-z0-9_.:-]{1,255}\Z")
_WORD = re.compile(r"[A-Za-z0-9_.+/-]{0,64}\Z")
_CONTAINERS = (dict, list)
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_USUAL = 64  # letters of a name that is worth remembering
_KIND = {str: "text", bool: "true or false", dict: "an object", list: "a list", int: "a whole number"}


class WrongShape(ValueError):
    """A value that is not what the API says. The text begins with where it stands."""


def anything(value: Any) -> None:
    """Whatever there is, but not nested too deep."""
    if type(value) in _CONTAINERS:
        try:
            bounded_json.measure(value)
        except ValueError as error:
            raise WrongShape(f": {error}") from None


def integer(low: int = -(2**63), high: int = 2**63 - 1) -> Check:
    """A whole number in this range; 64 bits are what clients take."""

    def check(value: Any) -> None:
        if type(value) is not int:
            raise WrongShape(f" is not {_KIND[int]}")
        if not low <= value <= high:
            raise WrongShape(f" is not between {low} and {high}")

    return check


def text(most: int) -> Check:
    """Text of at most so many letters, all of which can be seen: a name."""

    def check(value: Any) -> None:
        if type(value) is str and len(value) <= most and value.isprintable():
            return  # nearly always
        if type(value) is not str:
            raise WrongShape(" is not text")
        if len(value) > most:
            raise WrongShape(f" has more than {most} letters")
        if not is_printable(value):
            raise WrongShape(f" has unprintable characters: {printable(value)[:80]}")

    return check


def pattern(expression: re.Pattern[str], what: str) -> Check:
    """Text that fits from its beginning."""
    fits = expression.match

    def check(value: Any) -> None:
        if type(value) is not str:
            raise WrongShape(" is not text")
        if not fits(value):
            raise WrongShape(f" is not {what}: {printable(value[:80])}")

    return check


IDENTITY = pattern(_IDENTITY, "an id")
WORD = pattern(_WORD, "a plain word")
NAME = text(limits.ENGINE_NAME_LETTERS)
COUNT = int  # of 64 bits
SIZE = integer(-1, 1 << 56)  # bytes; small enough that the sum over a hundred engines fits in 64 bits
PORT = integer(0, 65535)


def a_list(item: Field, most: int = limits.ENGINE_ITEMS) -> Check:
    """A list, each entry of which passes; null, as Go writes an empty one. An entry is never null."""
    test = _check_of(item)

    def check(value: Any) -> None:
        if value is None:
            return
        if type(value) is not list:
            raise WrongShape(" is not a list")
        if len(value) > most:
            raise WrongShape(f" has more than {most} entries")
        if not value or (item is str and _all_texts(value)):
            return
        for number, entry in enumerate(value):
            try:
                test(entry)
            except WrongShape as error:
                raise WrongShape(f"[{number}]{error}") from None

    return check


def _all_texts(values: Iterable[Any]) -> bool:
    for value in values:  # noqa: SIM110 (a generator in `all` costs twice as much)
        if type(value) is not str:
            return False
    return True


def mapping(item: Field, key_check: Check | None = None) -> Check:
    """An object, each value of which passes or is null, and each key, if there is a check for them."""
    test = _check_of(item)

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise WrongShape(" is not an object")
        if not value or (item is str and _all_texts(value.values())):
            return
        for key, entry in value.items():
            try:
                if key_check is not None:
                    key_check(key)
                if entry is not None:
                    test(entry)
            except WrongShape as error:
                raise WrongShape(f"[{printable(key[:80])}]{error}") from None

    return check


def record(fields: Mapping[str, Field], *needed: str) -> Check:
    """An object whose known fields pass; those in `needed` must be there.

    A field that differs from a known one in capitals only, as Go folds them, is wrong: clients written in Go take it
    for that one.
    """
    known: dict[str, Any] = dict(fields)
    known_field = known.get
    folded = {normalize_key_case(name) for name in fields}

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise WrongShape(" is not an object")
        for name in needed:
            if value.get(name) is None:
                raise WrongShape(f".{name} is missing")
        for name, entry in value.items():
            field: Any = known_field(name, anything)
            kind = type(entry)
            if kind is field:  # nearly always: a text
                if kind is int and not _LOWEST <= entry <= _HIGHEST:
                    raise WrongShape(f".{name} is not {_KIND[int]}")
                continue
            if field is anything:
                if name not in known and _folded(name) in folded:
                    raise WrongShape(f".{printable(name[:80])} is not a field of the API")
                if kind not in _CONTAINERS:
                    continue
            elif entry is None:
                continue
            elif type(field) is type:
                raise WrongShape(f".{name} is not {_KIND[field]}")
            try:
                field(entry)
            except WrongShape as error:
                raise WrongShape(f".{printable(name[:80])}{error}") from None

    return check


def _folded(name: str) -> str:
    return _folded_before(name) if len(name) <= _USUAL else normalize_key_case(name)


@lru_cache(maxsize=2048)  # the fields that nobody here knows are the same few hundred in each answer
def _folded_before(name: str) -> str:
    return normalize_key_case(name)


def _check_of(field: Field) -> Check:
    if not isinstance(field, type):
        return field
    kind: Any = field

    def check(value: Any) -> None:
        if type(value) is not kind or (kind is int and not _LOWEST <= value <= _HIGHEST):
            raise WrongShape(f" is not {_KIND[kind]}")

    return check
