"""Addresses as text: `10.0.0.[1:3]:2375` for three of them, and which text is an address at all. Pure."""

from __future__ import annotations

import re

from machine.swarm.discovery.fetch import DiscoveryError

MOST = 10_000  # addresses from one text
_RANGE = re.compile(r"\[(\d{1,9}):(\d{1,9})\]")
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})):(\d{1,5})\Z")


def expand(text: str) -> list[str]:
    """`text` with every `[A:B]` written out, A to B, in order; DiscoveryError when that is too many or backwards."""
    found = _RANGE.search(text)
    if found is None:
        return [text]
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise DiscoveryError(f"the range {found[0]} in {text!r} runs backwards")
    if last - first >= MOST:
        raise DiscoveryError(f"the range {found[0]} in {text!r} has more than {MOST} addresses")
    width = len(found[1]) if found[1].startswith("0") else 0
    expanded: list[str] = []
    for number in range(first, last + 1):
        expanded += expand(f"{text[: found.start()]}{number:0{width}d}{text[found.end() :]}")
        if len(expanded) > MOST:
            raise DiscoveryError(f"{text!r} stands for more than {MOST} addresses")
    return expanded


def address(text: str) -> str:
    """`text` if it is host:port (IPv6 in brackets); DiscoveryError if not."""
    text = text.strip()
    found = _ADDRESS.match(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise DiscoveryError(f"{text!r} is not an address of the form host:port")
    return text


def addresses(texts: list[str]) -> list[str]:
    """All texts expanded, checked, each once, in order; empty ones are left out."""
    found = [address(one) for text in texts if text.strip() for one in expand(text.strip())]
    return list(dict.fromkeys(found))
