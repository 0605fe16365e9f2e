"""JSON of an engine, read with bounds: bytes, values and nesting cost no more than machine.swarm.limits says.

Python's decoder takes more than JSON (NaN, numbers of any size, halves of characters), which would then reach clients
that refuse the whole answer for it: it is refused, or replaced, here.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from machine.swarm import limits

_CONTAINERS = (dict, list)
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")
_HALF = 6  # letters of an escape that stands alone
_SPACE = re.compile(r"[ \t\r\n]*")


def read(data: bytes, values: int = limits.ENGINE_VALUES) -> Any:
    """The value of some JSON, at once. Raises ValueError if it is none, or costs too much."""
    text = _text(data, values)
    return _check_depth(text, _decode(text))


async def read_in_turns(data: bytes) -> Any:
    """The value of some JSON; while a long one is read, others get their turn. Raises ValueError as for `read`.

    How deep it is nested is left to a check of its shape, which need not look where it knows what there is.
    """
    if len(data) <= limits.YIELD_PARSED:
        return _decode(_text(data, limits.ENGINE_VALUES))
    text = _text(data, limits.ENGINE_VALUES)
    value, end = await _outer(text, _skip(text, 0), _Turn(), 2)
    if _skip(text, end) != len(text):
        raise ValueError("something follows its JSON")
    return value


def read_several(data: bytes, values: int) -> list[Any]:
    """The values of several pieces of JSON one after the other. Raises ValueError as for `read`."""
    text = _text(data, values).strip()
    parsed, place = [], 0
    while place < len(text):
        try:
            value, place = _DECODER.raw_decode(text, place)
        except RecursionError:
            raise _too_deep() from None
        parsed.append(value)
        place = _skip(text, place)
    _check_depth(text, parsed)
    return parsed


def _text(data: bytes, values: int) -> str:
    # A short text cannot have too many; counting them would cost half as much as parsing it.
    if len(data) > values and data.count(b"[") + data.count(b"{") + data.count(b",") > values:
        raise ValueError(f"it has more than {values} values")
    text = data.decode("utf-8")
    if "\\" in text and ("\\ud" in text or "\\uD" in text):  # one sign is found far sooner than three
        text = _ESCAPE.sub(_repair_surrogates, text)
    return text


def _repair_surrogates(match: re.Match[str]) -> str:
    return "\\ufffd" if len(match[0]) == _HALF else match[0]


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None


def _check_depth(text: str, value: Any) -> Any:
    """Return `value` as it is.

    Raises ValueError if lists and objects are nested too deep, for who writes them out again would fail.
    """
    if text.count("[") + text.count("{") > limits.ENGINE_NESTING:
        measure(value)
    return value


def measure(value: Any) -> None:
    """Raises ValueError if lists and objects in a value are nested too deep."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > limits.ENGINE_NESTING + 1:
            raise _too_deep()
        level = [
            child
            for parent in level
            if type(parent) in _CONTAINERS
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in _CONTAINERS
        ]


def _too_deep() -> ValueError:
    return ValueError(f"it is nested deeper than {limits.ENGINE_NESTING}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_number)


class _Turn:
    """How much was read since others had their turn."""

    def __init__(self) -> None:
        self._since = 0
        self._values = 0

    async def at(self, place: int) -> None:
        """Note that the reading is at `place`, with one more value."""
        self._values += 1
        if place - self._since > limits.YIELD_PARSED or self._values > limits.YIELD_VALUES:
            self._since, self._values = place, 0
            await asyncio.sleep(0)


async def _outer(text: str, start: int, turn: _Turn, levels: int) -> tuple[Any, int]:
    """The value at `start` and where it ends; lists and objects of the outer `levels` are taken apart here."""
    await turn.at(start)
    sign = text[start : start + 1]
    if levels and sign == "[":
        return await _list(text, start + 1, turn, levels)
    if levels and sign == "{":
        return await _object(text, start + 1, turn, levels)
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        raise _too_deep() from None


async def _list(text: str, place: int, turn: _Turn, levels: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    place = _skip(text, place)
    if text[place : place + 1] == "]":
        return items, place + 1
    while True:
        value, place = await _outer(text, place, turn, levels - 1)
        items.append(value)
        place, ended = _next_entry(text, place, "]")
        if ended:
            return items, place


async def _object(text: str, place: int, turn: _Turn, levels: int) -> tuple[dict[str, Any], int]:
    members: dict[str, Any] = {}
    place = _skip(text, place)
    if text[place : place + 1] == "}":
        return members, place + 1
    while True:
        key, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        if not isinstance(key, str) or text[place : place + 1] != ":":
            raise ValueError("it is not valid JSON: an object without a key")
        members[key], place = await _outer(text, _skip(text, place + 1), turn, levels - 1)
        place, ended = _next_entry(text, place, "}")
        if ended:
            return members, place


def _next_entry(text: str, place: int, closing: str) -> tuple[int, bool]:
    """Where the next entry begins, or what follows the end, and whether it was the end."""
    place = _skip(text, place)
    follows = text[place : place + 1]
    if follows == closing:
        return place + 1, True
    if follows != ",":
        raise ValueError("it is not valid JSON: neither a comma nor an end")
    return _skip(text, place + 1), False


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place
