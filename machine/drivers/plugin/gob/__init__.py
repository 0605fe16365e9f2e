"""Gob, the encoding of Go's net/rpc (https://pkg.go.dev/encoding/gob): pure, bytes in and values out, no I/O.

A gob stream describes its own types, so the decoder needs to know none beforehand; the encoder is told the type of
each value. Go's values are these in Python: bool, int, float, complex, str, bytes; a slice or array is a list, a map
a dict, a struct a dict of its fields by name, and a value in an interface `Named`; nil is None.
"""

from machine.drivers.plugin.gob.decode import Decoder
from machine.drivers.plugin.gob.encode import Encoder
from machine.drivers.plugin.gob.types import (
    BOOL,
    BYTES,
    COMPLEX,
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

__all__ = [
    "BOOL",
    "BYTES",
    "COMPLEX",
    "FLOAT",
    "INT",
    "INTERFACE",
    "STRING",
    "UINT",
    "Basic",
    "Decoder",
    "Encoder",
    "GobError",
    "Map",
    "Named",
    "Slice",
    "Struct",
    "Type",
]
