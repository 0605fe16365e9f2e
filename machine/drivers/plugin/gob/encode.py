"""Values to gob. One encoder serves one stream: it remembers which types the other side knows already."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from machine.drivers.plugin.gob.types import (
    BOOL,
    BYTES,
    COMPLEX,
    FIRST_ID,
    FLOAT,
    INT,
    INTERFACE,
    STRING,
    UINT,
    Basic,
    GobError,
    Map,
    Named,
    Slice,
    Struct,
    Type,
)


class Encoder:
    """`encode` gives the bytes to be sent for one value."""

    def __init__(self) -> None:
        self._ids: dict[Type, int] = {}
        self._definitions = bytearray()  # those that the value at hand needs

    def encode(self, kind: Type, value: Any) -> bytes:
        """The definitions of types that were not sent yet, then the message with `value`.

        Raises GobError if it is no `kind`.

        Types met inside interfaces are defined ahead of the message too; Go's decoder takes them from anywhere.
        """
        known = dict(self._ids)
        self._definitions.clear()
        try:
            body = integer(self._id(kind)) + self._whole(kind, value)
        except GobError:
            self._ids = known
            raise
        return bytes(self._definitions) + unsigned(len(body)) + body

    def _whole(self, kind: Type, value: Any) -> bytes:
        """A value that stands alone: what is no struct has an empty step between fields before it."""
        encoded = self._part(kind, value)
        return encoded if isinstance(kind, Struct) else b"\0" + encoded

    def _part(self, kind: Type, value: Any) -> bytes:
        if isinstance(kind, Basic):
            return self._interface(value) if kind == INTERFACE else basic(kind, value)
        if isinstance(kind, Slice):
            return unsigned(len(value)) + b"".join(self._part(kind.elem, item) for item in value)
        if isinstance(kind, Map):
            pairs = (self._part(kind.key, key) + self._part(kind.elem, item) for key, item in value.items())
            return unsigned(len(value)) + b"".join(pairs)
        return self._fields(kind, value)

    def _fields(self, kind: Struct, value: Any) -> bytes:
        """Each field that is not zero, by its distance from the one before; then 0."""
        if set(value) - {name for name, _ in kind.fields}:
            raise GobError(f"{sorted(value)} are not all fields of {kind.name}")
        found, last = bytearray(), -1
        for at, (name, of) in enumerate(kind.fields):
            if name in value and (isinstance(of, Struct) or value[name] not in _ZERO):
                found += unsigned(at - last) + self._part(of, value[name])
                last = at
        return bytes(found) + b"\0"

    def _interface(self, value: Named | None) -> bytes:
        """The registered name, the number of the type, the length of the value, the value; nil is an empty name."""
        if value is None:
            return b"\0"
        if not isinstance(value, Named) or value.type is None or not value.name:
            raise GobError(f"{value!r} is not a value with a registered type")
        body = self._whole(value.type, value.value)
        return basic(STRING, value.name) + integer(self._id(value.type)) + unsigned(len(body)) + body

    def _id(self, kind: Type) -> int:
        """The number of a type; a new one is defined first, with all that it consists of."""
        if isinstance(kind, Basic):
            return kind.id
        if kind in self._ids:
            return self._ids[kind]
        number = self._ids[kind] = FIRST_ID + len(self._ids)
        if isinstance(kind, Struct):
            fields = [
                _step(1, basic(STRING, name)) + _step(1, integer(self._id(of))) + b"\0" for name, of in kind.fields
            ]
            listed = _step(1, unsigned(len(fields)) + b"".join(fields)) if fields else b""
            wire = _step(3, _common(kind.name, number) + listed + b"\0")
        elif isinstance(kind, Slice):
            wire = _step(2, _common("", number) + _step(1, integer(self._id(kind.elem))) + b"\0")
        else:
            key, elem = integer(self._id(kind.key)), integer(self._id(kind.elem))
            wire = _step(4, _common("", number) + _step(1, key) + _step(1, elem) + b"\0")
        body = integer(-number) + wire + b"\0"
        self._definitions += unsigned(len(body)) + body
        return number


_ZERO: tuple[Any, ...] = (False, 0, "", b"", [], {}, (), None)


def _step(distance: int, encoded: bytes) -> bytes:
    return bytes([distance]) + encoded


def _common(name: str, number: int) -> bytes:
    """Go's CommonType, the first field of every definition."""
    called = _step(1, basic(STRING, name)) if name else b""
    return _step(1, called + _step(1 if name else 2, integer(number)) + b"\0")


def unsigned(value: int) -> bytes:
    """Below 128 one byte; else the negated count of bytes, then those, most significant first."""
    if not 0 <= value < 1 << 64:
        raise GobError(f"{value} does not fit 64 bits without a sign")
    if value < 128:
        return bytes([value])
    length = (value.bit_length() + 7) // 8
    return bytes([256 - length]) + value.to_bytes(length, "big")


def integer(value: int) -> bytes:
    """The sign is the lowest bit; the rest is inverted if it is set."""
    if not -(1 << 63) <= value < 1 << 63:
        raise GobError(f"{value} does not fit 64 bits")
    return unsigned(~value << 1 | 1 if value < 0 else value << 1)


def floating(value: float) -> bytes:
    """The bytes of an IEEE 754 double, reversed, so that round numbers are short."""
    return unsigned(int.from_bytes(struct.pack("<d", value), "big"))


def basic(kind: Basic, value: Any) -> bytes:
    """A value of a basic type other than an interface."""
    if kind not in _BASIC or type(value) not in _BASIC[kind][0]:
        raise GobError(f"{type(value).__name__} is no {kind.name}")
    return _BASIC[kind][1](value)


def _chunk(data: bytes) -> bytes:
    return unsigned(len(data)) + data


_BASIC: dict[Basic, tuple[tuple[type, ...], Callable[[Any], bytes]]] = {
    BOOL: ((bool,), unsigned),
    INT: ((int,), integer),
    UINT: ((int,), unsigned),
    FLOAT: ((float, int), floating),
    COMPLEX: ((complex,), lambda value: floating(value.real) + floating(value.imag)),
    STRING: ((str,), lambda value: _chunk(value.encode("utf-8", "surrogateescape"))),
    BYTES: ((bytes,), _chunk),
}
