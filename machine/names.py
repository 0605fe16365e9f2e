"""What a machine may be called. The rule is docker-machine's; the length is DNS's (RFC 1035, 63 octets a label)."""

from __future__ import annotations

import re

from machine.errors import NameInvalid

_ALLOWED = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*")
LONGEST = 253


def check(name: str) -> str:
    """`name` itself, or NameInvalid. A name longer than a host name may be is refused."""
    if not _ALLOWED.fullmatch(name):
        raise NameInvalid(
            f"{name!r} cannot be the name of a machine",
            details="A name starts with a letter or digit; letters, digits, dots and dashes may follow.",
            resolution="choose a name such as " + (re.sub(r"[^a-zA-Z0-9.-]+", "-", name).strip("-.") or "dev"),
        )
    if len(name) > LONGEST:
        raise NameInvalid(f"the name {name[:20]}... is {len(name)} characters long; {LONGEST} is the most")
    return name


def hostname(name: str) -> str:
    """The host name set on a machine: at most 63 characters, the longest label."""
    return name[:63].rstrip("-.")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key of `ls`: digits by value, letters without case, ties by the name itself."""
    parts = re.findall(r"\d+|\D+", name)
    key = tuple((0, int(p), "") if p.isdigit() and p.isascii() else (1, 0, p.lower()) for p in parts)
    return (*key, (-1, 0, name))
