"""How values look and compare in a template: Go's %v, truth, equality and order. Pure."""

from __future__ import annotations

from machine.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NO_VALUE = "<no value>"
_ODD = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
_EXPONENT_FROM = 21  # %v writes 1e+21 but 100000000000000000000


class Struct(dict[str, "Any"]):
    """A mapping whose unknown fields are an error, as Go's structs are; a dict's are `<no value>`."""


def kind(value: Any) -> str:  # noqa: PLR0911
    """A value's kind, for errors and comparisons."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Struct):
        return "struct"
    return "map" if isinstance(value, dict) else "list"


def truth(value: Any) -> bool:
    """Whether `if` takes the branch: not for false, 0, nil and the empty string, list and map."""
    return True if isinstance(value, Struct) else bool(value)


def show(value: Any) -> str:  # noqa: PLR0911
    """`value` as %v prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Struct):
        return "{" + " ".join(show(part) for part in value.values()) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(show(part) for part in value) + "]"
    return str(value)


def _float(value: float) -> str:
    if repr(value) in _ODD:
        return _ODD[repr(value)]
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent and value == int(value):
        return str(int(value)) if value or not mantissa.startswith("-") else "-0"
    if exponent and 0 <= int(exponent) < _EXPONENT_FROM:
        return str(int(value))
    if exponent:
        power = int(exponent)
        return f"{mantissa.removesuffix('.0')}e{'-' if power < 0 else '+'}{abs(power):02}"
    return mantissa


def field(value: Any, name: str) -> Any:
    """`.name` of a value: None for what a map lacks, TemplateError where there can be no such field."""
    if isinstance(value, Struct):
        if name in value:
            return value[name]
        raise TemplateError(
            f"there is no field {name}",
            resolution="the fields are " + " ".join(value),
            details="names are case-sensitive",
        )
    if isinstance(value, dict):
        return value.get(name)
    if value is None:
        return None
    raise TemplateError(f"a {kind(value)} has no field {name}")


def equal(one: Any, two: Any) -> bool:
    """`eq`: numbers by value, the rest within one kind. Raises TemplateError for lists, maps and mixtures."""
    if one is None or two is None:
        return one is None and two is None
    _basic(one, two)
    return bool(one == two)


def less(one: Any, two: Any) -> bool:
    """`lt`: numbers by value, strings by code point."""
    _basic(one, two)
    if isinstance(one, bool):
        raise TemplateError("true and false have no order")
    return bool(one < two)


def _basic(one: Any, two: Any) -> None:
    kinds = [("number" if kind(value) in ("int", "float") else kind(value)) for value in (one, two)]
    for found in kinds:
        if found not in ("number", "string", "bool"):
            raise TemplateError(f"a {found} cannot be compared")
    if kinds[0] != kinds[1]:
        raise TemplateError(f"a {kinds[0]} and a {kinds[1]} cannot be compared")
