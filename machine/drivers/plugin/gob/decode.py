"""Gob to values. Bytes may come in any pieces; a value is there once all of its messages are."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from machine.drivers.plugin.gob.types import (
    BOOL,
    BYTES,
    COMPLEX,
    FLOAT,
    INT,
    INTERFACE,
    LEAST_ID,
    LIMIT,
    MOST_VALUES,
    STRING,
    UINT,
    WIRE,
    WIRE_TYPE,
    Definition,
    GobError,
    Named,
)

_ZERO: dict[int, Any] = {1: False, 2: 0, 3: 0, 4: 0.0, 5: b"", 6: "", 7: 0j, 8: None}


class _Incomplete(Exception):
    """The next message is not all there."""


class _Reader:
    """A place in the bytes at hand, and the end of the message that it is in."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.at = self.end = 0

    def message(self) -> None:
        """Go into the next message."""
        self.end = len(self.data)
        try:
            length = self.unsigned()
        except GobError:
            raise _Incomplete from None
        if length > LIMIT:
            raise GobError(f"a message of {length} bytes")
        if self.at + length > len(self.data):
            raise _Incomplete
        self.end = self.at + length

    def take(self, count: int) -> bytes:
        """The next bytes of this message."""
        if count > self.end - self.at:
            raise GobError("a message ends too soon")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def unsigned(self) -> int:
        first = self.take(1)[0]
        if first < 128:
            return first
        if first < 248:
            raise GobError("a number of more than 64 bits")
        return int.from_bytes(self.take(256 - first), "big")

    def integer(self) -> int:
        value = self.unsigned()
        return ~(value >> 1) if value & 1 else value >> 1

    def floating(self) -> float:
        found: float = struct.unpack("<d", self.unsigned().to_bytes(8, "big"))[0]
        return found

    def chunk(self) -> bytes:
        return self.take(self.unsigned())

    def text(self) -> str:
        return self.chunk().decode("utf-8", "surrogateescape")

    def count(self) -> int:
        """How many elements follow; each takes a byte at least."""
        value = self.unsigned()
        if value > self.end - self.at:
            raise GobError("a list is longer than its message")
        return value


_BASIC: dict[int, Callable[[_Reader], Any]] = {
    BOOL.id: lambda reader: bool(reader.unsigned()),
    INT.id: _Reader.integer,
    UINT.id: _Reader.unsigned,
    FLOAT.id: _Reader.floating,
    BYTES.id: _Reader.chunk,
    STRING.id: _Reader.text,
    COMPLEX.id: lambda reader: complex(reader.floating(), reader.floating()),
}


class Decoder:
    """One stream: `feed` what has arrived, then take the `values` that are complete."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._types = dict(WIRE)
        self._left = MOST_VALUES  # that the value at hand may still have, whatever pieces it comes in

    def feed(self, data: bytes) -> None:
        """More of the stream."""
        self._rest += data

    def values(self) -> Iterator[Any]:
        """Every value that is all there, in order.

        Raises GobError on bytes that are no gob; the stream is then lost.
        """
        while self._rest:
            reader = _Reader(self._rest)
            try:
                value = self._whole(reader, self._type(reader, inside=False))
            except _Incomplete:
                if len(self._rest) > LIMIT:
                    raise GobError(f"a value of more than {LIMIT} bytes") from None
                return
            except RecursionError:
                raise GobError("values nested too deeply") from None
            if reader.at != reader.end:
                raise GobError("a message is longer than its value")
            del self._rest[: reader.at]
            self._left = MOST_VALUES
            yield value

    def _type(self, reader: _Reader, *, inside: bool) -> int:
        """The number of the value's type, after the definitions ahead of it.

        Inside an interface Go breaks the value's message off before a definition and goes on in another one: the length
        of that stands in the same message, or is the next one's own.
        """
        while True:
            if reader.at == reader.end:
                reader.message()
            number = reader.integer()
            if number >= 0:
                return number
            if -number < LEAST_ID:
                raise GobError(f"a definition of Go's own type {-number}")
            self._types[-number] = self._definition(reader)
            if reader.at < reader.end:
                if not inside:
                    raise GobError("a definition is longer than its message")
                reader.unsigned()

    def _definition(self, reader: _Reader) -> Definition:
        wire = self._struct(reader, WIRE[WIRE_TYPE])
        found = {key: value for key, value in wire.items() if value}
        if len(found) != 1:
            raise GobError("a definition of no type")
        ((key, body),) = found.items()
        if key == "StructT":
            return Definition("struct", tuple((field["Name"], field["Id"]) for field in body["Field"]))
        if key == "SliceT":
            return Definition("slice", elem=body["Elem"])
        if key == "ArrayT":
            return Definition("array", elem=body["Elem"], length=body["Len"])
        if key == "MapT":
            return Definition("map", key=body["Key"], elem=body["Elem"])
        return Definition("opaque")

    def _whole(self, reader: _Reader, number: int) -> Any:
        """A value that stands alone: alone in its message, or in an interface."""
        definition = self._types.get(number)
        if definition is not None and definition.kind == "struct":
            return self._struct(reader, definition)
        if reader.unsigned() != 0:
            raise GobError("a field's number before a value that is no struct")
        return self._part(reader, number)

    def _part(self, reader: _Reader, number: int) -> Any:
        self._spend()
        if number in _BASIC:
            return _BASIC[number](reader)
        if number == INTERFACE.id:
            return self._interface(reader)
        definition = self._types.get(number)
        if definition is None:
            raise GobError(f"type {number} was never defined")
        if definition.kind == "struct":
            return self._struct(reader, definition)
        if definition.kind == "map":
            pairs = [
                (self._part(reader, definition.key), self._part(reader, definition.elem)) for _ in range(reader.count())
            ]
            try:
                return dict(pairs)
            except TypeError:
                raise GobError("a map whose keys cannot be keys here") from None
        if definition.kind == "opaque":
            return reader.chunk()
        return [self._part(reader, definition.elem) for _ in range(reader.count())]

    def _struct(self, reader: _Reader, definition: Definition) -> dict[str, Any]:
        """All fields; those that were not sent are zero, {} for a struct behind a nil pointer."""
        found = {name: self._zero(number) for name, number in definition.fields}
        at = -1
        while step := reader.unsigned():
            at += step
            if at >= len(definition.fields):
                raise GobError("a field that its struct has not")
            name, number = definition.fields[at]
            found[name] = self._part(reader, number)
        return found

    def _interface(self, reader: _Reader) -> Named | None:
        name = reader.text()
        if not name:
            return None
        number = self._type(reader, inside=True)
        reader.unsigned()  # the value's length, for those who would skip it
        return Named(name, self._whole(reader, number))

    def _spend(self) -> None:
        """One more part of the value at hand."""
        self._left -= 1
        if self._left < 0:
            raise GobError(f"a value of more than {MOST_VALUES} parts")

    def _zero(self, number: int) -> Any:
        self._spend()
        if number in _ZERO:
            return _ZERO[number]
        definition = self._types.get(number)
        kind = definition.kind if definition else "struct"
        if kind == "array" and definition is not None and 0 <= definition.length <= LIMIT >> 10:
            return [self._zero(definition.elem) for _ in range(definition.length)]
        return {"slice": [], "array": [], "opaque": b""}.get(kind, {})
