"""What the JSON of an engine has to look like: checks built from small ones. Pure.

A check takes a value and raises WrongShape, whose text says where and what ("[3].Names is not a list"). As Go reads
JSON, a field may be missing, and null stands for nothing; fields that nobody here knows may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from types import NoneType
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
_MANY = 8  # entries of a list that are looked at column by column: for fewer it is not worth it
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


def pattern(expression: re.Pattern[str], description: str) -> Check:
    """Text that fits from its beginning."""
    fits = expression.match

    def check(value: Any) -> None:
        if type(value) is not str:
            raise WrongShape(" is not text")
        if not fits(value):
            raise WrongShape(f" is not {description}: {printable(value[:80])}")

    return check


IDENTITY = pattern(_IDENTITY, "an id")
WORD = pattern(_WORD, "a plain word")
NAME = text(limits.ENGINE_NAME_LETTERS)
COUNT = int  # of 64 bits
SIZE = integer(-1, 1 << 56)  # bytes; small enough that the sum over a hundred engines fits in 64 bits
PORT = integer(0, 65535)


class Composite:
    """The check of a list or an object. It looks at one value, or at many at once, which costs less for each."""

    __slots__ = ()
    kind: type  # list or dict

    def __call__(self, value: Any) -> None:
        """Raises WrongShape if the value does not pass; the text says where."""
        raise NotImplementedError

    def all_pass(self, values: Sequence[Any]) -> bool:
        """Whether all of these values, each of type `kind`, pass. False, or WrongShape, may also mean: look at each.

        What this says yes to, `__call__` has to let through.
        """
        raise NotImplementedError


def _column_passes(field: Field, column: Sequence[Any]) -> bool:
    """Whether the values that many objects have in one field pass, or are null: see Composite.all_pass."""
    kinds = set(map(type, column))
    if NoneType in kinds:
        kinds.remove(NoneType)
        column = [value for value in column if value is not None]
    if not kinds:
        return True
    if len(kinds) > 1:
        return False
    kind = kinds.pop()
    if kind is field:
        return kind is not int or (min(column) >= _LOWEST and max(column) <= _HIGHEST)
    if isinstance(field, Composite):
        return kind is field.kind and field.all_pass(column)
    if isinstance(field, type):
        return False
    for value in column if kind in _CONTAINERS else set(column):  # many objects often say the same
        field(value)
    return True


class _List(Composite):
    __slots__ = ("_is_text", "_item", "_most", "_test")
    kind = list

    def __init__(self, item: Field, most: int) -> None:
        self._item = item
        self._test = _check_of(item)
        self._is_text = item is str
        self._most = most

    def __call__(self, value: Any) -> None:
        if value is None:
            return
        if type(value) is not list:
            raise WrongShape(" is not a list")
        if len(value) > self._most:
            raise WrongShape(f" has more than {self._most} entries")
        if not value or (self._is_text and _all_texts(value)) or (len(value) >= _MANY and self._entries_pass(value)):
            return
        for number, entry in enumerate(value):
            try:
                self._test(entry)
            except WrongShape as error:
                raise WrongShape(f"[{number}]{error}") from None

    def _entries_pass(self, entries: Sequence[Any]) -> bool:
        """Whether all entries pass, looked at together; where one does not, the caller finds it one by one."""
        try:
            return None not in entries and _column_passes(self._item, entries)
        except WrongShape:
            return False

    def all_pass(self, values: Sequence[Any]) -> bool:
        if max(map(len, values)) > self._most:
            return False
        entries = list(chain.from_iterable(values))
        return None not in entries and _column_passes(self._item, entries)


class _Mapping(Composite):
    __slots__ = ("_is_text", "_item", "_key_check", "_test")
    kind = dict

    def __init__(self, item: Field, key_check: Check | None) -> None:
        self._item = item
        self._test = _check_of(item)
        self._is_text = item is str
        self._key_check = key_check

    def __call__(self, value: Any) -> None:
        if type(value) is not dict:
            raise WrongShape(" is not an object")
        if not value or (self._is_text and _all_texts(value.values())):
            return
        for key, entry in value.items():
            try:
                if self._key_check is not None:
                    self._key_check(key)
                if entry is not None:
                    self._test(entry)
            except WrongShape as error:
                raise WrongShape(f"[{printable(key[:80])}]{error}") from None

    def all_pass(self, values: Sequence[Any]) -> bool:
        if self._key_check is not None:
            for key in set(chain.from_iterable(values)):
                self._key_check(key)
        return _column_passes(self._item, [entry for value in values for entry in value.values()])


class _Record(Composite):
    __slots__ = ("_fields", "_folded", "_required")
    kind = dict

    def __init__(self, fields: Mapping[str, Field], required: Sequence[str]) -> None:
        self._fields: dict[str, Any] = dict(fields)
        self._folded = {normalize_key_case(name) for name in fields}
        self._required = required

    def __call__(self, value: Any) -> None:
        if type(value) is not dict:
            raise WrongShape(" is not an object")
        for name in self._required:
            if value.get(name) is None:
                raise WrongShape(f".{name} is missing")
        known_field = self._fields.get
        for name, entry in value.items():
            field: Any = known_field(name, anything)
            kind = type(entry)
            if kind is field:  # nearly always: a text
                if kind is int and not _LOWEST <= entry <= _HIGHEST:
                    raise WrongShape(f".{name} is not {_KIND[int]}")
                continue
            if field is anything:
                self._check_unknown(name)
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

    def _check_unknown(self, name: str) -> None:
        if name not in self._fields and _folded(name) in self._folded:
            raise WrongShape(f".{printable(name[:80])} is not a field of the API")

    def all_pass(self, values: Sequence[Any]) -> bool:
        forms = set(map(tuple, values))  # their fields, in order: nearly always all alike
        if len(forms) == 1:
            return self._columns_pass(forms.pop(), values)
        if len(forms) > _MANY:
            return False
        return all(self._columns_pass(form, [value for value in values if tuple(value) == form]) for form in forms)

    def _columns_pass(self, names: Sequence[str], values: Sequence[dict[str, Any]]) -> bool:
        """Whether objects that all have these fields, in this order, pass."""
        columns = dict(zip(names, zip(*map(dict.values, values), strict=True), strict=True))
        for name in self._required:
            if None in columns.get(name, (None,)):
                return False
        for name, column in columns.items():
            field: Any = self._fields.get(name, anything)
            if field is anything:
                self._check_unknown(name)
            if not _column_passes(field, column):
                return False
        return True


def a_list(item: Field, most: int = limits.ENGINE_ITEMS) -> Check:
    """A list, each entry of which passes; null, as Go writes an empty one. An entry is never null."""
    return _List(item, most)


def mapping(item: Field, key_check: Check | None = None) -> Check:
    """An object, each value of which passes or is null, and each key, if there is a check for them."""
    return _Mapping(item, key_check)


def record(fields: Mapping[str, Field], *required: str) -> Check:
    """An object whose known fields pass; those in `required` must be there.

    A field that differs from a known one in capitals only, as Go folds them, is wrong: clients written in Go take it
    for that one.
    """
    return _Record(fields, required)


def _all_texts(values: Iterable[Any]) -> bool:
    for value in values:  # noqa: SIM110 (a generator in `all` costs twice as much)
        if type(value) is not str:
            return False
    return True


def _folded(name: str) -> str:
    return _normalize_cached(name) if len(name) <= _USUAL else normalize_key_case(name)


@lru_cache(maxsize=2048)  # the fields that nobody here knows are the same few hundred in each answer
def _normalize_cached(name: str) -> str:
    return normalize_key_case(name)


def _check_of(field: Field) -> Check:
    if not isinstance(field, type):
        return field
    kind: Any = field

    def check(value: Any) -> None:
        if type(value) is not kind or (kind is int and not _LOWEST <= value <= _HIGHEST):
            raise WrongShape(f" is not {_KIND[kind]}")

    return check
