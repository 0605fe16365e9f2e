"""Lines out of pieces of any size."""

from __future__ import annotations

import time

import pytest

from machine.swarm.http.line_buffer import LineBuffer

DATA = b"one\n\ntwo two\nthr\xffee\nrest"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_whatever_the_pieces(size: int) -> None:
    buffer = LineBuffer()
    found = [line for start in range(0, len(DATA), size) for line in buffer.feed(DATA[start : start + size])]
    assert [*found, buffer.take()] == DATA.split(b"\n")
    assert len(buffer) == 0


def test_a_long_line_in_small_pieces_costs_no_more_than_its_bytes() -> None:
    buffer = LineBuffer()
    start = time.process_time()
    for _ in range(400_000):
        buffer.feed(b"x" * 10)
    assert time.process_time() - start < 5  # copied at every piece it would be 800 GB
    assert len(buffer) == 4_000_000
