"""True and false as text: what our flags and variables accept, and what programs in Go accept. Pure."""

from __future__ import annotations

from machine.errors import UsageError

# strconv.ParseBool, by which dockerd reads its switches: https://pkg.go.dev/strconv#ParseBool
GO_TRUE = ("1", "t", "T", "TRUE", "true", "True")
GO_FALSE = ("0", "f", "F", "FALSE", "false", "False")

_TRUE = ("1", "t", "true", "yes", "on")
_FALSE = ("0", "f", "false", "no", "off", "")


def parse_bool(text: str, source: str) -> bool:
    """Return the value of a flag or variable in any usual spelling, "" for false.

    Raises UsageError, naming `source`, for all other text.
    """
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise UsageError(f"{source} must be true or false, not {text!r}", resolution=one_of(source, "true", "false"))


def one_of(source: str, first: str, second: str) -> str:
    """Return what to type so that `source`, a flag or a $VARIABLE, has one of its two values."""
    if source.startswith("$"):
        return f"set {source[1:]} to {first} or {second}, or unset it"
    return f"{source}={first}, or {source}={second}"
