"""Text of others (engines, clients, programs, certificates) made fit for a log or a terminal. Pure.

A line end would begin a line that somebody else made up, an escape sequence could colour, move or hide what a terminal
shows, and so could the signs that turn the direction of writing.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable

TRACEBACK = "Traceback "
LONGEST = 20_000  # characters of one entry of a log; a traceback has a few thousand

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed, which are treated apart
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # invisible signs, line ends of Unicode, directions
    "\ud800-\udfff]"  # halves of a character, which cannot be written
)


def printable(text: str) -> str:
    r"""`text` on one line: control characters, and others that do not show, as \n, \x1b or \u202e."""
    if text.isprintable():  # nearly all is, and nothing of that is unsafe
        return text
    return _UNSAFE.sub(_escape, text).replace("\n", "\\n")


def printable_line(text: str) -> str:
    """`printable`, with the line end that the text has."""
    return printable(text[:-1]) + "\n" if text.endswith("\n") else printable(text)


def is_printable(text: str) -> bool:
    """Whether `printable` leaves `text` as it is."""
    return text.isprintable() or (_UNSAFE.search(text) is None and "\n" not in text)


def log_entry(text: str) -> str:
    """`text` as one entry of a log: one line, unless it is a traceback, which `traceback_of` has made."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text)} characters)"
    if text.startswith(TRACEBACK):
        return _UNSAFE.sub(_escape, text.rstrip("\n"))
    return printable(text.rstrip("\n"))


def traceback_of(error: BaseException) -> str:
    """The traceback of `error` for a log; its message, which may be of others' words, stays on one line."""
    pieces = traceback.format_exception(error)
    pieces = [piece.rstrip("\n") for piece in pieces]
    ours = (TRACEBACK, "  ", "\n")  # the other pieces are names and messages of exceptions
    return "\n".join(piece if piece.startswith(ours) else printable(piece) for piece in pieces)


def printable_log(log: Callable[[str], None]) -> Callable[[str], None]:
    """`log`, told only what may be shown."""
    return lambda text: log(log_entry(text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\r":
        return "\\r"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
