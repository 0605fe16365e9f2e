"""Gob's types and their numbers. The numbers below 64 are fixed by Go; a stream gives its own from 65 on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FIRST_ID = 65  # of the types that a stream defines
LIMIT = 16 << 20  # bytes of one value with its definitions; a plugin's longest answer is a machine's JSON, some KB
MOST_VALUES = 1_000_000  # parts of one value, fields that were not sent included: a type may make many out of a byte
LEAST_ID = 64  # of the types that a stream may define; those below are Go's own


class GobError(ValueError):
    """Bytes that are no gob, or a value that does not fit its type."""


@dataclass(frozen=True, slots=True)
class Basic:
    """A type that needs no definition."""

    name: str
    id: int


@dataclass(frozen=True, slots=True)
class Slice:
    """[]elem."""

    elem: Type


@dataclass(frozen=True, slots=True)
class Map:
    """map[key]elem."""

    key: Type
    elem: Type


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct with its exported fields in order; Go matches fields by name and does not look at the struct's."""

    name: str
    fields: tuple[tuple[str, Type], ...] = ()


Type = Basic | Slice | Map | Struct

BOOL, INT, UINT, FLOAT = Basic("bool", 1), Basic("int", 2), Basic("uint", 3), Basic("float", 4)
BYTES, STRING, COMPLEX, INTERFACE = Basic("bytes", 5), Basic("string", 6), Basic("complex", 7), Basic("interface", 8)


@dataclass(frozen=True, slots=True)
class Named:
    """A value in an interface: the name under which its type is registered in Go, and the value.

    `type` is for the encoder; what was decoded has None there.
    """

    name: str
    value: Any
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A type as a stream defines it, other types by their numbers."""

    kind: str  # "struct", "slice", "array", "map", or "opaque": bytes that the type itself made
    fields: tuple[tuple[str, int], ...] = ()
    elem: int = 0
    key: int = 0
    length: int = 0


def _struct(*fields: tuple[str, int]) -> Definition:
    return Definition("struct", fields)


# How a definition itself is encoded: Go's wireType and what it consists of. The negative numbers are ours.
WIRE_TYPE, _ARRAY, _COMMON, _SLICE, _STRUCT, _FIELD, _FIELDS, _MAP, _OPAQUE = 16, 17, 18, 19, 20, 21, 22, 23, -24
WIRE = {
    WIRE_TYPE: _struct(
        ("ArrayT", _ARRAY),
        ("SliceT", _SLICE),
        ("StructT", _STRUCT),
        ("MapT", _MAP),
        ("GobEncoderT", _OPAQUE),
        ("BinaryMarshalerT", _OPAQUE),
        ("TextMarshalerT", _OPAQUE),
    ),
    _ARRAY: _struct(("CommonType", _COMMON), ("Elem", INT.id), ("Len", INT.id)),
    _COMMON: _struct(("Name", STRING.id), ("Id", INT.id)),
    _SLICE: _struct(("CommonType", _COMMON), ("Elem", INT.id)),
    _STRUCT: _struct(("CommonType", _COMMON), ("Field", _FIELDS)),
    _FIELD: _struct(("Name", STRING.id), ("Id", INT.id)),
    _FIELDS: Definition("slice", elem=_FIELD),
    _MAP: _struct(("CommonType", _COMMON), ("Key", INT.id), ("Elem", INT.id)),
    _OPAQUE: _struct(("CommonType", _COMMON)),
}
