"""JSON of requests read as dockerd reads it, which is as Go does: strictly, and names without regard to case. Pure.

Go takes `hostconfig` for HostConfig, and of a name that stands twice the later, objects laid over each other
(https://pkg.go.dev/encoding/json#Unmarshal). Whoever decides by a body, a scheduler or a policy, must read it so too;
and what is passed on is written anew from what was read, so that nobody behind can read it differently.
"""

from __future__ import annotations

import json
import re
from typing import Any

from machine.swarm import limits
from machine.swarm.parsing.fields import CANONICAL, FIELD_TYPES, MAPS, NAMES

_SURROGATE = re.compile("[\ud800-\udfff]")
_FOLDED = str.maketrans({"\u017f": "s", "\u212a": "k"})  # signs that Go takes for s and k
_KIND_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


class BadJson(ValueError):
    """The text is not JSON that is taken; the message says why, and ends no sentence."""


class WrongKind(BadJson):
    """A field has a value of another kind than the API's."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it stands in the text: every name, also those that come twice."""


def read(data: bytes | str) -> Any:
    """The value in `data`, UTF-8; of an object's equal names the last counts.

    Raises BadJson if it is not valid JSON.
    """
    return _plain(_parse(data), 0)


def read_call(data: bytes | str) -> Any:
    """The body of an API call: as `read`, with the API's own spelling of names.

    Raises BadJson, also for a wrong kind.
    """
    return _normalize(_parse(data), 0, names_are_data=False)


def write(value: Any) -> bytes:
    """`value` as JSON."""
    return json.dumps(value, allow_nan=False).encode()


def _parse(data: bytes | str) -> Any:
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise BadJson("it is not UTF-8") from None
    if len(text) > limits.JSON_VALUES and text.count(",") + text.count("[") + text.count("{") > limits.JSON_VALUES:
        raise BadJson(f"it has more than {limits.JSON_VALUES} values")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise BadJson(f"it is nested deeper than {limits.JSON_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise BadJson(str(error)) from None


def _whole_number(text: str) -> int:
    if len(text) > limits.JSON_NUMBER:
        raise BadJson(f"a number of {len(text)} digits")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadJson("a number that is too large")
    return number


def _constant(text: str) -> Any:
    raise BadJson(f"{text} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_whole_number, parse_float=_real, parse_constant=_constant
)


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, list):
        return value
    _check_depth(depth)
    if isinstance(value, _Pairs):
        return {_text(key): _plain(one, depth + 1) for key, one in value}
    return [_plain(one, depth + 1) for one in value]


def _normalize(value: Any, depth: int, *, names_are_data: bool) -> Any:
    """`value` with the API's names. `names_are_data` = the names of this object are its user's: labels, ports."""
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, list):
        return value
    _check_depth(depth)
    if not isinstance(value, _Pairs):
        return [_normalize(item, depth + 1, names_are_data=False) for item in value]
    if names_are_data:
        return {_text(key): _normalize(item, depth + 1, names_are_data=False) for key, item in value}
    fields: dict[str, Any] = {}
    names_by_folded: dict[str, str] = {}  # folded name of a field -> the name that it gets
    for key, item in value:
        folded = _FOLDS.get(key) or normalize_key_case(key)
        name = names_by_folded.setdefault(folded, key if key in NAMES else CANONICAL.get(folded) or _text(key))
        new = _normalize(item, depth + 1, names_are_data=name in MAPS)
        check_kind(name, new)
        fields[name] = _merge_duplicates(name, fields[name], new) if name in fields else new
    return fields


def _merge_duplicates(name: str, old: Any, new: Any) -> Any:
    """What Go makes of a field that comes a second time: objects are joined, all else is replaced."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    if name in MAPS:
        return {**old, **new}
    return {**old, **{key: _merge_duplicates(key, old[key], one) if key in old else one for key, one in new.items()}}


def normalize_key_case(name: str) -> str:
    """A name without its case, as Go compares them."""
    return name.translate(_FOLDED).lower()


_FOLDS = {name: normalize_key_case(name) for name in NAMES}


def check_kind(name: str, value: Any) -> None:
    """Raises WrongKind if a field that is read here has a value of another kind than the API's; null is none."""
    kinds = FIELD_TYPES.get(name)
    if kinds is not None and value is not None:
        _check_kinds(name, value, kinds)


def _check_kinds(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    kind, *inner = kinds
    if value is None:
        return
    if not _is(value, kind):
        raise WrongKind(f"{name} must be {_KIND_NAMES.get(kind, 'a whole number')}, not {kind_of(value)}")
    if inner:
        inner_name = name if name.startswith("each ") else f"each in {name}"
        for one in value.values() if isinstance(value, dict) else value:
            _check_kinds(inner_name, one, tuple(inner))


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    return "null" if value is None else _KIND_NAMES.get(type(value), "a number")


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _check_depth(depth: int) -> None:
    if depth > limits.JSON_DEPTH:
        raise BadJson(f"it is nested deeper than {limits.JSON_DEPTH} levels")


def _text(text: str) -> str:
    """Halves of a character, which JSON can say and UTF-8 cannot, as Go reads them: unknown."""
    return _SURROGATE.sub("\ufffd", text) if not text.isascii() else text
