"""Addresses as text: `10.0.0.[1:3]:2375` for three of them, and which text is an address at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from machine.errors import masked
from machine.swarm import limits
from machine.swarm.discovery.fetch import DiscoveryError, DiscoveryUrlError

MOST = limits.DISCOVERY_ENGINES  # addresses, from one text and in all
_RANGE = re.compile(r"\[(\d{1,9}):(\d{1,9})\]")
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})):(\d{1,5})\Z")


def expand(text: str) -> list[str]:
    """`text` with every `[A:B]` written out, A to B, in order.

    Raises DiscoveryError if that is too many or backwards.
    """
    found = _RANGE.search(text)
    if found is None:
        return [text]
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise DiscoveryUrlError(f"the range {found[0]} in {text!r} runs backwards")
    if last - first >= MOST:
        raise DiscoveryUrlError(f"the range {found[0]} in {text!r} has more than {MOST} addresses")
    width = len(found[1]) if found[1].startswith("0") else 0
    expanded: list[str] = []
    for number in range(first, last + 1):
        expanded += expand(f"{text[: found.start()]}{number:0{width}d}{text[found.end() :]}")
        if len(expanded) > MOST:
            raise DiscoveryUrlError(f"{text!r} stands for more than {MOST} addresses")
    return expanded


def address(text: str) -> str:
    """`text` if it is host:port (IPv6 in brackets). Raises DiscoveryError if not."""
    text = text.strip()
    found = _ADDRESS.match(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise DiscoveryUrlError(
            f"{masked(text)[:80]!r} is not an address of the form host:port", "write each engine as HOST:PORT"
        )
    return text


def addresses(texts: Sequence[str]) -> list[str]:
    """What somebody typed: all texts with their ranges written out, checked, each once, in order; no empty ones."""
    checked: dict[str, None] = {}
    for text in texts:
        checked.update(dict.fromkeys(address(item) for item in (expand(text.strip()) if text.strip() else ())))
        if len(checked) > MOST:
            raise DiscoveryUrlError(f"these are more than {MOST} addresses")
    return list(checked)


def addresses_in_answer(texts: Any, description: str) -> list[str]:
    """The addresses in what a discovery answered, each once, in order. A range is none: nobody here typed it.

    What is no address is left out, so that one bad entry harms only itself. Raises DiscoveryError if the answer is no
    list of texts, is too long, or has entries and not one address.
    """
    if not isinstance(texts, list):
        raise DiscoveryError(f"{description}: the answer is not a list")
    if len(texts) > MOST:
        raise DiscoveryError(f"{description}: the answer has more than {MOST} addresses")
    checked: dict[str, None] = {}
    bad = ""
    for text in texts:
        try:
            checked[address(text if isinstance(text, str) else repr(text))] = None
        except DiscoveryError as error:
            bad = bad or str(error)
    if bad and not checked:
        raise DiscoveryError(f"{description}: {bad}")
    return list(checked)
