"""The functions a template may call: Go's own, and docker's json, join, split, upper, ... Pure."""

from __future__ import annotations

import json

from machine.errors import TemplateError
from machine.printable import in_json
from machine.template.printf import printf
from machine.template.values import Struct, equal, field, kind, less, show, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"{name} wants a string, not a {kind(value)}")
    return value


def _int(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateError(f"{name} wants a whole number, not a {kind(value)}")
    return value


def _json(value: Any) -> str:
    document = json.dumps(value, sort_keys=not isinstance(value, Struct), separators=(",", ":"), ensure_ascii=False)
    return in_json(document)


def _pretty(value: Any) -> str:
    return in_json(json.dumps(value, sort_keys=not isinstance(value, Struct), indent=4, ensure_ascii=False))


def _print(*values: Any) -> str:
    """Go's Sprint: a space between two values neither of which is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


def _println(*values: Any) -> str:
    return " ".join(show(value) for value in values) + "\n"


def _join(values: Any, separator: Any) -> str:
    if values is None:
        return ""
    if not isinstance(values, (list, tuple)):
        raise TemplateError(f"join wants a list, not a {kind(values)}")
    return _text(separator, "join").join(show(value) for value in values)


def _split(text: Any, separator: Any) -> list[str]:
    cut = _text(separator, "split")
    return _text(text, "split").split(cut) if cut else list(_text(text, "split"))


def _title(text: Any) -> str:
    value = _text(text, "title")
    return "".join(
        letter.upper() if index == 0 or value[index - 1].isspace() else letter for index, letter in enumerate(value)
    )


def _pad(text: Any, before: Any, after: Any) -> str:
    left, right = max(0, min(_int(before, "pad"), 1000)), max(0, min(_int(after, "pad"), 1000))
    value = _text(text, "pad")
    return " " * left + value + " " * right if value else value


def _truncate(text: Any, length: Any) -> str:
    return _text(text, "truncate")[: max(0, _int(length, "truncate"))]


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, (list, tuple, dict)):
        return len(value)
    raise TemplateError(f"a {kind(value)} has no length")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if value is None:
            return None
        if isinstance(value, dict):
            value = field(value, _text(key, "index"))
            continue
        if not isinstance(value, (list, tuple, str)):
            raise TemplateError(f"a {kind(value)} cannot be indexed")
        items = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        at = _int(key, "index")
        if not 0 <= at < len(items):
            raise TemplateError(f"index {at} is out of range: there are {len(items)}")
        value = items[at]
    return value


def _slice(value: Any, *ends: Any) -> Any:
    if not isinstance(value, (list, tuple, str)) or len(ends) > 2:
        raise TemplateError(f"slice wants a string or a list and two numbers at most, not a {kind(value)}")
    items = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else list(value)
    low = _int(ends[0], "slice") if ends else 0
    high = _int(ends[1], "slice") if len(ends) > 1 else len(items)
    if not 0 <= low <= high <= len(items):
        raise TemplateError(f"slice {low} to {high} is out of range: there are {len(items)}")
    part = items[low:high]
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else part


def _eq(one: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("eq wants two values or more")
    return any(equal(one, other) for other in others)


def _last(*values: Any) -> Any:
    return values[-1]


FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {  # name -> function, fewest and most arguments
    "json": (_json, 1, 1),
    "prettyjson": (_pretty, 1, 1),
    "printf": (printf, 1, 100),
    "print": (_print, 0, 100),
    "println": (_println, 0, 100),
    "join": (_join, 2, 2),
    "split": (_split, 2, 2),
    "upper": (lambda text: _text(text, "upper").upper(), 1, 1),
    "lower": (lambda text: _text(text, "lower").lower(), 1, 1),
    "title": (_title, 1, 1),
    "pad": (_pad, 3, 3),
    "truncate": (_truncate, 2, 2),
    "len": (_len, 1, 1),
    "index": (_index, 1, 100),
    "slice": (_slice, 1, 100),
    "not": (lambda value: not truth(value), 1, 1),
    "eq": (_eq, 2, 100),
    "ne": (lambda one, two: not equal(one, two), 2, 2),
    "lt": (less, 2, 2),
    "le": (lambda one, two: not less(two, one), 2, 2),
    "gt": (lambda one, two: less(two, one), 2, 2),
    "ge": (lambda one, two: not less(one, two), 2, 2),
    "and": (_last, 1, 100),  # these two stop at the first value that decides: machine.template.evaluate
    "or": (_last, 1, 100),
}
