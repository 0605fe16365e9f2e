"""What machines cost, in lines for a plan. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Price = Mapping[str, str]  # "net" and "gross" -> a number
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")


def lines(what: str, offers: Iterable[tuple[str, Price, Price]]) -> list[str]:
    """A line for every price, with the places that have it; `offers` are places with prices an hour and a month.

    Raises ValueError for a price that is no number: it is a stranger's text, and goes to a terminal.
    """
    places: dict[str, list[str]] = {}
    for place, hour, month in offers:
        places.setdefault(f"{_both(hour)} an hour, {_both(month)} a month at most", []).append(place)
    return [f"{what} in {', '.join(where)}: {costs}" for costs, where in places.items()]


def _both(price: Price) -> str:
    return f"{_amount(str(price['net']))} ({_amount(str(price['gross']))} with tax)"


def _amount(text: str) -> str:
    """A price without the zeros at its end, but with cents: 0.0056 for 0.00560000."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"a price is no number: {text[:40]!r}")
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"
