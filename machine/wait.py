"""Waiting with one deadline and an injected clock; the only loop in the program that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from machine.errors import WaitTimeout

T = TypeVar("T")


class Clock(Protocol):
    """Seconds since some start, and a way to let them pass."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real one."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def until(
    probe: Callable[[], T | None],
    *,
    what: str,
    seconds: float,
    clock: Clock,
    every: float = 0.5,
    last: Callable[[], str] = lambda: "",
    resolution: str = "",
) -> T:
    """Ask `probe` until it answers something other than None; WaitTimeout after `seconds`.

    `what` completes "gave up waiting for ..."; `last` describes the last answer for the error.
    The pause between two questions grows from `every` to four times that.
    """
    deadline = clock.now() + seconds
    pause = every
    while True:
        answer = probe()
        if answer is not None:
            return answer
        left = deadline - clock.now()
        if left <= 0:
            raise WaitTimeout(f"gave up waiting for {what} after {seconds:g} s", details=last(), resolution=resolution)
        clock.sleep(min(pause, left))
        pause = min(pause * 1.3, every * 4)
