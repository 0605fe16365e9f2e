"""A root file system that did not grow to its disk is an error of `create`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from machine.drivers.base import Driver
from machine.errors import DriverError
from machine.lifecycle import disk_growth
from machine.process import Completed
from machine.session import Session


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Host:
    """`sizes` are what df says, in MB, the last one for ever."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes, self.asked = list(sizes), 0

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
        assert timeout, "a machine may hang"
        if command == disk_growth.LOG_COMMAND:
            return Completed(0, "resize2fs: the device is too large\n")
        size = self.sizes[min(self.asked, len(self.sizes) - 1)]
        self.asked += 1
        return Completed(0, f"/dev/root {size * 1024} 500 1000 3% /\n" if size else "")

    def put(self, path: str, content: bytes, mode: int) -> None:
        raise AssertionError


class Machine:
    def __init__(self, disk: int, image: int) -> None:
        self.sizes = (disk, image)
        self.ctx = type("Context", (), {"name": "dev"})

    def disk_megabytes(self) -> tuple[int, int]:
        return self.sizes


def check(disk: int, image: int, *seen: int) -> Host:
    host = Host(seen)
    disk_growth.check(cast(Session, type("World", (), {"clock": Clock()})), cast(Driver, Machine(disk, image)), host)
    return host


def test_a_growth_that_failed() -> None:
    with pytest.raises(DriverError, match="did not grow") as caught:
        check(99999, 2000, 1900)
    assert "1900 MB of 99999 MB" in caught.value.brief
    assert "too large" in caught.value.details
    assert "machine rm dev" in caught.value.resolution


@pytest.mark.parametrize(
    ("disk", "image", "seen"),
    [
        (20000, 2000, (19600,)),
        (20000, 2000, (1900, 1900, 19600)),  # still at it
        (2100, 2000, (1900,)),  # nothing worth growing
        (20000, 2000, (9000,)),  # partitions of its own
        (20000, 2000, (0,)),  # no df
    ],
)
def test_what_is_right(disk: int, image: int, seen: tuple[int, ...]) -> None:
    check(disk, image, *seen)


def test_machines_without_a_disk_of_ours_are_not_asked() -> None:
    disk_growth.check(cast(Session, None), cast(Driver, object()), Host([0]))


@pytest.mark.parametrize("line", ["", "x", "a b c d e", "/dev/root " + "9" * 400 + " 1 1 1% /", "\x00"])
def test_nonsense_of_df(line: str) -> None:
    assert disk_growth.megabytes_of(line) == 0
