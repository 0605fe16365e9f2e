"""Text of others made harmless for a terminal, a log or a table.

What an engine, a host, a cloud or a file says may hold escape sequences, line ends and marks that change the direction
of writing. They would move the cursor, colour and forge lines. Everything that is printed passes one of the functions
here; what cannot be seen is shown as its escape, such as \\x1b or \\u202e.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_KEPT = "\n\t"  # what lines of text are made of


def in_text(text: str) -> str:
    """`text` with its line ends and tabs, and every other invisible character as its escape.

    Lone surrogates stay: they stand for the bytes of odd file names (PEP 383), and stdout knows what to do with them.
    """
    if text.isprintable():
        return text
    return "".join(char if char in _KEPT or _visible(char) else _escape(char) for char in text)


def in_line(text: str) -> str:
    """`text` as (a part of) one line: its line ends and tabs are escaped as well."""
    if text.isprintable():
        return text
    return "".join(char if _visible(char) else _escape(char) for char in text)


def in_values(value: Any) -> Any:
    """A copy of what JSON can hold with every text in it as `in_line` gives it, keys too; other values as they are."""
    if isinstance(value, str):
        return in_line(value)
    if isinstance(value, dict):
        return type(value)({in_values(key): in_values(item) for key, item in value.items()})
    if isinstance(value, list):
        return [in_values(item) for item in value]
    return value


def in_json(document: str) -> str:
    """A JSON document with invisible characters as JSON's own escapes: what a program reads from it stays the same."""
    if document.isprintable():
        return document
    return "".join(char if char == "\n" or char.isprintable() else _json_escape(char) for char in document)


def _visible(char: str) -> bool:
    return char.isprintable() or "\ud800" <= char <= "\udfff"


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
