"""True and false as text, in the spellings that Docker's command lines and its API have. Pure."""

from __future__ import annotations

# strconv.ParseBool, by which classic Swarm reads its switches: https://pkg.go.dev/strconv#ParseBool
GO_TRUE = ("1", "t", "T", "TRUE", "true", "True")
GO_FALSE = ("0", "f", "F", "FALSE", "false", "False")

# GetBoolOrDefault of moby's api/types/filters, for the values of a filter
FILTER_TRUE, FILTER_FALSE = ("1", "true"), ("0", "false")

_FALSE_ARGUMENTS = ("", "0", "no", "false", "none")  # BoolValue of moby's api/server/httputils


def parse_go(text: str) -> bool | None:
    """Return the value of a switch, in lower or upper case; None for text that is neither true nor false."""
    word = text.lower()
    if word not in GO_TRUE + GO_FALSE:
        return None
    return word in GO_TRUE


def argument(text: str) -> bool:
    """Return the value of an argument of a query; the engine takes all that does not say false as true."""
    return text.strip().lower() not in _FALSE_ARGUMENTS
