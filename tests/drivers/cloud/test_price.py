"""Prices in lines."""

from __future__ import annotations

import pytest

from machine.drivers.cloud import price


def test_places_of_one_price_share_a_line_and_zeros_go() -> None:
    cheap = {"net": "0.0056000000", "gross": "0.0066640000000000"}
    month = {"net": "3.4900000000", "gross": "4.1531000000000000"}
    dear = {"net": "4", "gross": "4.5"}
    assert price.lines("cx23", [("a", cheap, month), ("b", dear, month), ("c", cheap, month)]) == [
        "cx23 in a, c: 0.0056 (0.006664 with tax) an hour, 3.49 (4.1531 with tax) a month at most",
        "cx23 in b: 4.00 (4.50 with tax) an hour, 3.49 (4.1531 with tax) a month at most",
    ]
    assert price.lines("cx23", []) == []


@pytest.mark.parametrize("text", ["", "\x1b[2J", "1e-7", "-1", "1.", "9" * 99, "None", "0x1", "\u0661"])
def test_what_is_no_number_is_no_price(text: str) -> None:
    fine = {"net": "1", "gross": "1"}
    with pytest.raises(ValueError, match="no number"):
        price.lines("cx23", [("a", fine, {"net": "1", "gross": text})])
