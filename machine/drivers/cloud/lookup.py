"""A thing by its name or id among those that an account has, and what to say when it is none of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from machine.drivers.cloud.errors import ErrorClass, ErrorTable
from machine.nearest import nearest

T = TypeVar("T")
MOST_NAMES = 60  # in one message


def id_of(thing: Mapping[str, object], key: str = "id") -> str:
    """The id of a thing in an answer. Raises ValueError where it has none: "None" must not come into a record."""
    found = thing[key]
    if not found or not isinstance(found, str | int):
        raise ValueError(f"{key} is {found!r}")
    return str(found)


def pick(name: str, present: Mapping[str, T], table: ErrorTable, missing: ErrorClass, what: str) -> T:
    """The thing that goes by a name, as it is written or in another case; `present` has things by names and ids.

    Raises an error of the kind `missing` that calls it `what` ("the server type"), with the nearest name and all.
    """
    in_any_case = {key.lower(): thing for key, thing in present.items()}
    found = present.get(name, in_any_case.get(name.lower()))
    if found is None:
        names = [key for key in present if not key.isdecimal()]
        near = nearest(name.lower(), names)
        brief = f"{what} {name} is not there" + (f"; did you mean {near}?" if near else "")
        raise table.error(missing, brief, f"there are: {', '.join(names[:MOST_NAMES]) or 'none'}")
    return found


def by_name_and_id(things: Iterable[T]) -> dict[str, T]:
    """Things that have `name` and `id` by both; a name goes before an id."""
    listed = list(things)
    by_id = {str(getattr(thing, "id", "")): thing for thing in listed}
    return {**by_id, **{str(name): thing for thing in listed if (name := getattr(thing, "name", None))}}
