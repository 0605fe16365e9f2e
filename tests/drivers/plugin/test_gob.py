"""Gob: against streams that Go wrote and reads, in any pieces, and with anything for an input."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine.drivers.plugin import gob
from machine.drivers.plugin.flags import FLAGS
from machine.drivers.plugin.gob.encode import basic, integer, unsigned
from tests.drivers.plugin.build import built

RECORDED = (Path(__file__).parent / "recorded" / "go1.19.gob").read_bytes()
EVERYTHING = {
    "Yes": True,
    "Small": -128,
    "Big": -(1 << 63),
    "Unsigned": (1 << 64) - 1,
    "Number": -2.5,
    "Pair": 1 - 3j,
    "Text": "h\u00e9",
    "Raw": b"\x00\xff",
    "Words": ["", "two"],
    "Grid": [[1, 2, 3], [0, -1, 200]],
    "Table": {"one": [1]},
    "Inner": {"A": 0, "B": 128},
    "Missing": {},
    "Any": gob.Named("[]string", ["in", "side"]),
    "Many": {"list": gob.Named("[]string", ["a"])},
    "When": b"\x01\x00\x00\x00\x0ew\x91\xf7\x00\x00\x00\x00\x00\xff\xff",
    "Last": "end",
}


def flag(kind: str, name: str, value: Any = None, usage: str = "", env: str = "") -> gob.Named:
    fields = {"Name": name, "Usage": usage, "EnvVar": env}
    return gob.Named(f"*mcnflag.{kind}", fields if kind == "BoolFlag" else {**fields, "Value": value})


WRITTEN = [
    *({}, 0, -129, 300, True, "text", b"bytes", 1.5, ["a", ""], {"k": 1}),
    [
        flag("StringFlag", "a-string", "v", "u", "E"),
        flag("IntFlag", "an-int", -7),
        flag("BoolFlag", "a-bool"),
        flag("StringSliceFlag", "a-list", ["x", "y"]),
        flag("StringFlag", "behind-a-pointer", ""),
    ],
    *(EVERYTHING, EVERYTHING, "after"),
]


def decoded(data: bytes, piece: int = 0) -> list[Any]:
    """All values of a stream, fed whole or in pieces of a size."""
    decoder = gob.Decoder()
    found: list[Any] = []
    step = piece or len(data) or 1
    for at in range(0, len(data), step):
        decoder.feed(data[at : at + step])
        found += decoder.values()
    return found


@pytest.mark.parametrize("piece", [0, 1, 2, 7, 64])
def test_it_reads_what_go_wrote(piece: int) -> None:
    assert decoded(RECORDED, piece) == WRITTEN


@pytest.mark.slow
def test_go_writes_it_like_that_today() -> None:
    stream = subprocess.run([built("gobs"), "write"], capture_output=True, check=True).stdout
    assert decoded(stream) == WRITTEN


def test_what_is_not_all_there_waits() -> None:
    """Cut anywhere: the values before the cut, then the rest; nothing is lost or comes twice."""
    for cut in range(0, len(RECORDED), 7):
        decoder = gob.Decoder()
        decoder.feed(RECORDED[:cut])
        first = list(decoder.values())
        decoder.feed(RECORDED[cut:])
        assert first + list(decoder.values()) == WRITTEN


@pytest.mark.slow
def test_go_reads_what_it_writes() -> None:
    encoder = gob.Encoder()
    values = {
        "text": gob.Named("string", "t", gob.STRING),
        "number": gob.Named("int", -70000, gob.INT),
        "yes": gob.Named("bool", True, gob.BOOL),
        "list": gob.Named("[]string", ["x", ""], gob.Slice(gob.STRING)),
        "none": None,
    }
    named = gob.Named("*rpcdriver.RPCFlags", {"Values": values}, FLAGS)
    inner = gob.Struct("", (("A", gob.INT), ("B", gob.INT)))
    parts: tuple[tuple[str, gob.Type], ...] = (
        ("Last", gob.STRING),
        ("Yes", gob.BOOL),
        ("Big", gob.INT),
        ("Unsigned", gob.UINT),
        ("Number", gob.FLOAT),
        ("Pair", gob.COMPLEX),
        ("Raw", gob.BYTES),
        ("Words", gob.Slice(gob.STRING)),
        ("Table", gob.Map(gob.STRING, gob.Slice(gob.INT))),
        ("Inner", inner),
        ("Any", gob.INTERFACE),
    )
    everything = {name: EVERYTHING[name] for name, _ in parts}
    everything["Any"] = gob.Named("[]string", ["in"], gob.Slice(gob.STRING))
    stream = b"".join(
        encoder.encode(kind, value)
        for kind, value in (
            (gob.Struct(""), {}),
            (gob.INT, -129),
            (gob.STRING, "text"),
            (gob.BYTES, b"bytes"),
            (gob.INTERFACE, named),
            (gob.INTERFACE, named),
            (gob.Struct("Everything", parts), everything),
        )
    )
    read = subprocess.run([built("gobs"), "read"], input=stream, capture_output=True, check=False)
    assert read.returncode == 0, read.stderr.decode()
    lines = read.stdout.decode().splitlines()
    assert lines[0] == '{} -129 "text" "bytes"'
    assert lines[1:6] == [
        "text string t",
        "number int -70000",
        "yes bool true",
        "list []string [x ]",
        "none <nil> <nil>",
    ]
    for part in ("Big:-9223372036854775808", "Unsigned:18446744073709551615", "Number:-2.5", "Pair:(1-3i)"):
        assert part in lines[6]
    for part in ("Raw:[0 255]", "Words:[ two]", "Table:map[one:[1]]", "Inner:{A:0 B:128}", "Any:[in]", "Last:end"):
        assert part in lines[6]


# Pairs of a type and a strategy for its values.
BASIC: list[tuple[gob.Type, st.SearchStrategy[Any]]] = [
    (gob.BOOL, st.booleans()),
    (gob.INT, st.integers(-(1 << 63), (1 << 63) - 1)),
    (gob.UINT, st.integers(0, (1 << 64) - 1)),
    (gob.FLOAT, st.floats(allow_nan=False)),
    (gob.COMPLEX, st.complex_numbers(allow_nan=False, allow_infinity=False)),
    (gob.STRING, st.text()),
    (gob.BYTES, st.binary()),
]


def more(inner: st.SearchStrategy[tuple[gob.Type, Any]]) -> st.SearchStrategy[tuple[gob.Type, Any]]:
    """Composite types around the ones at hand, each with a value of it."""

    def several(pairs: list[tuple[gob.Type, Any]]) -> tuple[gob.Type, Any]:
        names = [f"F{at}" for at in range(len(pairs))]
        kind = gob.Struct("S", tuple(zip(names, (pair[0] for pair in pairs), strict=True)))
        return kind, dict(zip(names, (pair[1] for pair in pairs), strict=True))

    return st.one_of(
        inner.map(lambda pair: (gob.Slice(pair[0]), [pair[1]] * 2)),
        inner.map(lambda pair: (gob.Map(gob.STRING, pair[0]), {"k": pair[1]})),
        inner.map(lambda pair: (gob.INTERFACE, gob.Named("name", pair[1], pair[0]))),
        st.lists(inner, max_size=4).map(several),
    )


VALUES = st.recursive(st.one_of([st.tuples(st.just(kind), values) for kind, values in BASIC]), more, max_leaves=8)


def plain(value: Any) -> Any:
    """Without the types that only the encoder needs."""
    if isinstance(value, gob.Named):
        return gob.Named(value.name, plain(value.value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(0, 5))
def test_what_is_written_is_read_again(pairs: list[tuple[gob.Type, Any]], piece: int) -> None:
    encoder = gob.Encoder()
    stream = b"".join(encoder.encode(kind, value) for kind, value in pairs)
    assert decoded(stream, piece) == [plain(value) for _, value in pairs]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(RECORDED)), st.integers(1, 9))
def test_anything_else_is_refused_or_waited_for(noise: bytes, at: int, over: int) -> None:
    for stream in (noise, RECORDED[:at] + noise + RECORDED[at + over :]):
        try:
            decoded(stream)
        except gob.GobError:
            continue


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (gob.INT, 1 << 63),
        (gob.UINT, -1),
        (gob.INT, True),
        (gob.STRING, b"x"),
        (gob.BOOL, 1),
        (gob.INTERFACE, "bare"),
        (gob.INTERFACE, gob.Named("n", 1)),
        (gob.Struct("S", (("A", gob.INT),)), {"B": 1}),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_the_stream_goes_on(kind: gob.Type, value: Any) -> None:
    encoder = gob.Encoder()
    with pytest.raises(gob.GobError):
        encoder.encode(kind, value)
    slices = gob.Slice(gob.STRING)
    assert decoded(encoder.encode(slices, ["a"]) + encoder.encode(slices, ["b"])) == [["a"], ["b"]]


def test_a_message_that_says_it_is_huge_is_refused_at_once() -> None:
    with pytest.raises(gob.GobError, match="message of"):
        decoded(b"\xf8" + b"\xff" * 8)


def _message(body: bytes) -> bytes:
    return unsigned(len(body)) + body


def _type(number: int, wire: bytes) -> bytes:
    """A definition; `wire` is the number of the field of Go's wireType, and what follows its CommonType."""
    return _message(integer(-number) + wire[:1] + b"\x01\x02" + integer(number) + b"\0" + wire[1:] + b"\0\0")


def _struct(number: int, fields: list[tuple[str, int]]) -> bytes:
    each = (b"\x01" + basic(gob.STRING, name) + b"\x01" + integer(of) + b"\0" for name, of in fields)
    return _type(number, b"\x03\x01" + unsigned(len(fields)) + b"".join(each))


def _array(number: int, elem: int, length: int) -> bytes:
    return _type(number, b"\x01\x01" + integer(elem) + b"\x01" + integer(length))


def _list(number: int, elem: int) -> bytes:
    return _type(number, b"\x02\x01" + integer(elem))


@pytest.mark.parametrize(
    "stream",
    [
        _array(65, 2, 16000) + _array(66, 65, 16000) + _struct(67, [("A", 66)]) + _message(integer(67) + b"\0"),
        _struct(65, [(f"f{at}", 6) for at in range(2000)])
        + _list(66, 65)
        + _message(integer(66) + b"\0" + unsigned(200_000) + b"\0" * 200_000),
    ],
    ids=["arrays that were not sent", "structs without fields"],
)
def test_a_value_that_unfolds_without_end_is_refused(stream: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(gob.GobError, match="parts"):
        decoded(stream)
    assert time.monotonic() - began < 60


def test_definitions_without_a_value_are_not_kept_for_ever() -> None:
    with pytest.raises(gob.GobError, match="bytes"):
        decoded(_struct(65, [("x" * 60_000, 6)]) * 300, 60_000)


def test_a_stream_does_not_define_types_of_go_anew() -> None:
    with pytest.raises(gob.GobError, match="own type 8"):
        decoded(_struct(8, [("x", 6)]))


def test_an_answer_larger_than_any_is_refused_at_its_first_bytes() -> None:
    with pytest.raises(gob.GobError, match="message of"):
        decoded(unsigned(17 << 20) + b"x")
