"""Filters of `network ls` and `volume ls` over what is remembered, as an engine applies them. Pure.

What needs more than an object's own record (`dangling`) is not known here: `can_apply_locally` is False for it, and
engines are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from machine.swarm.scheduler.expressions import BadExpression, Matcher, pattern

Object = Mapping[str, Any]
Filters = Mapping[str, Sequence[str]]
PREDEFINED = ("bridge", "host", "none", "nat")  # networks that every engine makes by itself
NETWORK_FILTERS = frozenset(("driver", "id", "label", "name", "scope", "type"))
VOLUME_FILTERS = frozenset(("driver", "label", "name"))


def can_apply_locally(filters: Filters, applicable_filters: frozenset[str]) -> bool:
    """Whether these filters can be applied here; others, and values that are wrong, are left to the engines."""
    return applicable_filters.issuperset(filters) and all(
        value in ("custom", "builtin") for value in filters.get("type", ())
    )


def at_node(filters: Filters, node: str, nodes: Collection[str]) -> Filters | None:
    """The filters as they are on `node`, where NODE/NAME is called NAME; None if all names are of other `nodes`."""
    if not filters.get("name"):
        return filters
    split = [(text, *text.partition("/")) for text in filters["name"]]
    names = [name if owner == node else text for text, owner, _, name in split if owner == node or owner not in nodes]
    plain = [owner for _, owner, slash, _ in split if owner in nodes and not slash]  # a name that is a node's too
    found = list(dict.fromkeys([*filter(None, names), *plain]))
    return {**filters, "name": found} if found else None


def network_passes(network: Object, filters: Filters) -> bool:
    """Whether a network, as an engine lists it, passes the filters."""
    kind = "builtin" if network.get("Name") in PREDEFINED else "custom"
    return _passes(network, filters) and ("type" not in filters or kind in filters["type"])


def volume_passes(volume: Object, filters: Filters) -> bool:
    """Whether a volume, as an engine lists it, passes the filters."""
    return _passes(volume, filters)


def _passes(network_or_volume: Object, filters: Filters) -> bool:
    return all(_TESTS[name](network_or_volume, values) for name, values in filters.items() if name in _TESTS and values)


def _matches(key: str) -> Callable[[Object, Sequence[str]], bool]:
    """A test whether any of the values, regular expressions, is found anywhere in the field `key`."""
    return lambda found, values: any(_value_found(value, str(found.get(key) or "")) for value in values)


def _equals(key: str) -> Callable[[Object, Sequence[str]], bool]:
    return lambda found, values: found.get(key) in values


def _value_found(value: str, text: str) -> bool:
    matcher = _matcher(value)
    return value in text if matcher is None else bool(matcher.search(text))


@lru_cache(maxsize=256)
def _matcher(value: str) -> Matcher | None:
    """Return a filter's value as a regular expression; None if it is none, or one that is refused."""
    try:
        return pattern(f"/{value}/")
    except BadExpression:
        return None


def _has_labels(network_or_volume: Object, values: Sequence[str]) -> bool:
    labels = network_or_volume.get("Labels")
    labels = labels if isinstance(labels, dict) else {}
    pairs = [value.partition("=") for value in values]
    return all(key in labels and (not equals or labels[key] == expected) for key, equals, expected in pairs)


_TESTS: dict[str, Callable[[Object, Sequence[str]], bool]] = {
    "driver": _equals("Driver"),
    "id": _matches("Id"),
    "label": _has_labels,
    "name": _matches("Name"),
    "scope": _equals("Scope"),
}
