"""JSON values of several engines as one. What an engine says is somebody else's JSON: null may stand for a list."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def object_of(value: Any) -> dict[str, Any]:
    """Return an object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def number(value: Any) -> int:
    """Return a number as a whole one, anything else as 0."""
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


def union(lists: Iterable[Any]) -> list[Any] | None:
    """Return several lists as one, each entry once; None if none of them is a list, as engines say null."""
    found = [one for one in lists if isinstance(one, list)]
    if not found:
        return None
    return list({json.dumps(entry, sort_keys=True): entry for one in found for entry in one}.values())


def total(values: Iterable[Any]) -> Any:
    """Return the sum of several engines' values: numbers added, lists united, objects key by key, else the first.

    Null counts only where all say it. A key that only some have is kept.
    """
    present = [value for value in values if value is not None]
    if not present:
        return None
    kinds = {type(value) for value in present}
    if kinds <= {int, float}:
        return sum(present)
    if kinds == {list}:
        return union(present)
    if kinds == {dict}:
        keys = dict.fromkeys(key for value in present for key in value)
        return {key: total(value.get(key) for value in present) for key in keys}
    return present[0]
