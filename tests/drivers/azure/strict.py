"""Requests held to Microsoft's published description: the SDK's models are generated from it.

Every key of a body must be a field of its model (or of the right kind of thing inside it), and the value must have
the field's kind.
"""

from __future__ import annotations

from typing import Any


class Unknown(ValueError):
    """A body has what its model has not."""


def check(model: Any, body: Any, where: str = "") -> None:
    """Unknown unless `body` (JSON) is a `model`."""
    if not isinstance(body, dict):
        raise Unknown(f"{where or 'the body'} is no object but {body!r}")
    found = model(body)  # it knows its fields once it has been made
    fields = {field._rest_name: name for name, field in found._attr_to_rest_field.items()}
    for key, value in body.items():
        place = f"{where}.{key}".lstrip(".")
        if key not in fields:
            raise Unknown(f"{model.__name__} has no {place}")
        inner = getattr(found, fields[key])
        _inside(inner, value, place)


def _inside(found: Any, value: Any, place: str) -> None:
    if hasattr(found, "_attr_to_rest_field"):
        check(type(found), value, place)
    elif isinstance(found, list) and isinstance(value, list):
        for number, (one, given) in enumerate(zip(found, value, strict=True)):
            _inside(one, given, f"{place}[{number}]")
    elif isinstance(value, dict) and isinstance(found, dict):
        for key, given in value.items():
            _inside(found.get(key), given, f"{place}.{key}")
    elif isinstance(value, list) != isinstance(found, list):
        raise Unknown(f"{place} cannot be {value!r}")
