"""What a scripted engine (tests/scripted_engine.py) may say: sound answers, and every kind of bad one.

An answer is a row of parts: bytes to send, pauses, repetitions, silence, a reset. `HOSTILE` has one answer of every bad
kind, by name, to run a test over all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

CHUNK = 64 * 1024  # bytes written at once of what is repeated


class Pause(NamedTuple):
    """Send nothing for so long."""

    seconds: float


class Repeat(NamedTuple):
    """Send the same bytes again and again; for ever without `times`. `pause` = seconds between two."""

    data: bytes
    times: int | None = None
    pause: float = 0.0


class Hang:
    """Send nothing more and keep the connection open, until the client or the test ends it."""


class Reset:
    """Drop the connection at once, with a TCP reset."""


AnswerPart = bytes | Pause | Repeat | Hang | Reset


class Answer(NamedTuple):
    """What goes out, part by part; then the connection is closed, or kept for the next request."""

    parts: Sequence[AnswerPart]
    keep: bool = False


HEAD_OF_CHUNKS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def head(status: int = 200, headers: Sequence[tuple[str, str]] = (), length: int | None = None) -> bytes:
    """The head of an answer; headers go out as they are, line ends in them too."""
    lines = [f"HTTP/1.1 {status} X", "content-type: application/json"]
    if length is not None:
        lines.append(f"content-length: {length}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def raw(*parts: AnswerPart) -> Answer:
    """These bytes and parts, no more."""
    return Answer(parts)


def body_answer(body: bytes, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A whole answer with a length."""
    return Answer((head(status, headers, len(body)), body), keep=True)


def json_answer(value: Any, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """A whole answer of JSON."""
    return body_answer(json.dumps(value).encode(), status, headers)


def in_chunks(*pieces: bytes) -> Answer:
    """A whole answer in chunks."""
    return Answer((HEAD_OF_CHUNKS, *map(chunk, pieces), b"0\r\n\r\n"), keep=True)


def silence() -> Answer:
    """Nothing at all."""
    return raw(Hang())


def head_only(length: int = 100) -> Answer:
    """The head of an answer, and never its body."""
    return raw(head(length=length), Hang())


def half_a_head() -> Answer:
    """The beginning of a head, and no more."""
    return raw(b"HTTP/1.1 200 OK\r\ncontent-ty", Hang())


def silent_stream() -> Answer:
    """The head of a chunked answer, and never a chunk."""
    return raw(HEAD_OF_CHUNKS, Hang())


def cut_short(value: Any) -> Answer:
    """JSON whose second half never comes; then the connection ends."""
    body = json.dumps(value).encode()
    return raw(head(length=len(body)), body[: len(body) // 2])


def slow(value: Any, pause: float, size: int = 1) -> Answer:
    """JSON in pieces of `size` bytes with `pause` seconds between two."""
    body = json.dumps(value).encode()
    parts: list[AnswerPart] = [head(length=len(body))]
    for start in range(0, len(body), size):
        parts += [body[start : start + size], Pause(pause)]
    return Answer(tuple(parts))


def chunk_size(size: bytes) -> Answer:
    """A chunked body whose first chunk has this text for a size."""
    return raw(HEAD_OF_CHUNKS + size + b"\r\n{}\r\n0\r\n\r\n", Hang())


def endless_chunks(piece: bytes = b"x" * 8192) -> Answer:
    """A chunked body without an end."""
    return raw(HEAD_OF_CHUNKS, Repeat(chunk(piece)))


def endless_list(entry: bytes = b"[],") -> Answer:
    """JSON that never ends, in chunks: a list of `entry`."""
    return raw(HEAD_OF_CHUNKS + chunk(b"["), Repeat(chunk(entry * (8192 // len(entry)))))


def endless_head() -> Answer:
    """Headers without an end."""
    return raw(b"HTTP/1.1 200 OK\r\n", Repeat(b"x-more: " + b"y" * 1000 + b"\r\n"))


def endless_body() -> Answer:
    """A body without length or chunks that never ends."""
    return raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", Repeat(b" " * 8192))


def absurd_length(length: str = "99999999999999") -> Answer:
    """A Content-Length that no answer has, a few bytes, then nothing."""
    return raw(head(headers=[("content-length", length)]) + b"{", Hang())


def nested(depth: int = 300_000, sign: bytes = b"[") -> Answer:
    """JSON that is nothing but brackets."""
    close = {b"[": b"]", b'{"a":': b"}"}[sign]
    return body_answer(sign * depth + (b"1" if sign != b"[" else b"") + close * depth)


def many(entry: bytes, size: int) -> Answer:
    """A list of `entry` of about `size` bytes."""
    times = max(size // (len(entry) + 1), 1)
    body_size = times * (len(entry) + 1) - 1 + 2
    return Answer((head(length=body_size), b"[", Repeat(entry + b",", times - 1), entry, b"]"), keep=True)


def reset() -> Answer:
    """A connection that is reset instead of an answer."""
    return raw(Reset())


NASTY = "\x1b[2J\x1b]0;owned\x07\r\nforged: line\n\u202e\u2028\x9b31m\x00"  # for names, labels, messages
ODD_ERRORS: tuple[Any, ...] = ([1], {"message": {"a": [1]}}, {"message": None}, 7, "text", {"message": NASTY}, None)
WRONG_SHAPES: tuple[Any, ...] = (
    None, True, 7, -1.5e308, "text", [], {}, ["x"], [1, 2], [None], [[]], {"a": 1}, [{}], [{"Id": 5}],
    [{"Id": "x", "Names": 5, "Labels": [1], "Created": "never", "Ports": "no"}], {"Volumes": ["x"]}, {"Volumes": 5},
    [{"Id": None, "RepoTags": 5, "RepoDigests": {"a": 1}}], [{"Name": ["x"], "Containers": [1]}],
)  # fmt: skip


def _hostile() -> dict[str, Answer]:
    found = {
        "silence": silence(),
        "half a head": half_a_head(),
        "head only": head_only(),
        "silent chunks": silent_stream(),
        "slow bytes": slow([{"Id": "x" * 200}], 0.3),
        "cut short": cut_short([{"Id": "x" * 200}]),
        "negative chunk": chunk_size(b"-6"),
        "chunk of no number": chunk_size(b"zz"),
        "chunk of 2^64": chunk_size(b"fffffffffffffffff"),
        "endless chunk size": raw(HEAD_OF_CHUNKS, Repeat(b"0")),
        "endless chunks": endless_chunks(),
        "endless list": endless_list(),
        "endless head": endless_head(),
        "endless body": endless_body(),
        "endless informational": raw(Repeat(b"HTTP/1.1 100 Continue\r\n\r\n")),
        "absurd length": absurd_length(),
        "negative length": absurd_length("-1"),
        "two lengths": absurd_length("5, 6"),
        "nested lists": nested(),
        "nested objects": nested(100_000, b'{"a":'),
        "many empty lists": many(b"[]", 60_000_000),
        "many small objects": many(b'{"Id":"x"}', 60_000_000),
        "not HTTP": raw(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", Hang()),
        "HTTP/0.9": raw(b"hello\r\n"),
        "HTTP/2 preface": raw(b"\0\0\x12\x04\0\0\0\0\0", Hang()),
        "status 99": raw(b"HTTP/1.1 99 X\r\ncontent-length: 0\r\n\r\n"),
        "status 999": raw(b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n"),
        "switching protocols": raw(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: tcp\r\n\r\nhello", Hang()),
        "redirect": raw(b"HTTP/1.1 301 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        "no content": raw(b"HTTP/1.1 204 X\r\n\r\n"),
        "empty": body_answer(b""),
        "no JSON": body_answer(b"<html>nginx</html>"),
        "half JSON": body_answer(b'{"a": [1, 2'),
        "no UTF-8": body_answer(b'["\xff\xfe\x80"]'),
        "lone surrogate": body_answer(b'[{"Id": "\\ud800", "Name": "\\udfff", "Names": ["/\\ud800"]}]'),
        "NaN": body_answer(b'[{"Id": "x", "Created": NaN, "Size": Infinity}]'),
        "number of 5,000 digits": body_answer(b"[" + b"9" * 5000 + b"]"),
        "key of 1 MB": body_answer(b'{"' + b"k" * 1_000_000 + b'": 1}'),
        "nasty name": json_answer([{"Id": NASTY, "Name": NASTY, "Names": [NASTY], "Driver": NASTY}]),
        "nasty header": raw(b"HTTP/1.1 200 OK\r\nx-y: \x1b[2J\x07\r\ncontent-length: 2\r\n\r\n{}"),
        "reset": reset(),
        "closed": raw(),
    }
    found.update({f"shape {json.dumps(value)[:40]}": json_answer(value) for value in WRONG_SHAPES})
    found.update({f"error {json.dumps(value)[:40]}": json_answer(value, 500) for value in ODD_ERRORS})
    return found


HOSTILE: dict[str, Answer] = _hostile()
