"""What a machine may be called. The rule is docker-machine's; the length is a file name's, for it is one."""

from __future__ import annotations

import re

from machine.errors import NameInvalid

_ALLOWED = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*")
LONGEST = 200  # file systems take 255 bytes; a lock's or a removed machine's directory needs some more than the name
LONGEST_LABEL = 63  # octets of a host name's part, RFC 1035


def check(name: str) -> str:
    """`name` itself, or NameInvalid."""
    if not _ALLOWED.fullmatch(name):
        raise NameInvalid(
            f"{name!r} cannot be the name of a machine",
            details="A name starts with a letter or digit; letters, digits, dots and dashes may follow.",
            resolution="choose a name such as " + (re.sub(r"[^a-zA-Z0-9.-]+", "-", name).strip("-.") or "dev"),
        )
    if len(name) > LONGEST:
        raise NameInvalid(
            f"the name {name[:20]}... is {len(name)} characters long; {LONGEST} is the most",
            resolution=f"shorten it; {LONGEST_LABEL} or fewer also fit into a host name whole",
        )
    return name


def hostname(name: str) -> str:
    """The host name set on a machine: its name; of one over 63 characters the start and a hash, so that two differ."""
    if len(name) <= LONGEST_LABEL:
        return name.rstrip("-.")
    from hashlib import sha256

    return f"{name[: LONGEST_LABEL - 9].rstrip('-.')}-{sha256(name.encode()).hexdigest()[:8]}"


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key of `ls`: digits by value, letters without case, ties by the name itself."""
    parts = re.findall(r"\d+|\D+", name)
    key = tuple((0, int(p), "") if p.isdigit() and p.isascii() else (1, 0, p.lower()) for p in parts)
    return (*key, (-1, 0, name))
