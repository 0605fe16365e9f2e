"""Waiting with one deadline and an injected clock: what lifecycle and clusters wait with. Drivers do not wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from machine.errors import MachineError, WaitTimeout

T = TypeVar("T")


class NotYet(Exception):
    """What a probe of `until` raises to be called again; a timeout shows the last reason."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    @classmethod
    def because(cls, error: MachineError) -> NotYet:
        """Return a reason out of an error that may pass."""
        return cls(f"{error.brief}\n{error.details}".strip())


class Clock(Protocol):
    """Seconds since some start, and a way to let them pass."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock of this computer: monotonic seconds, and a real sleep."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def until(
    probe: Callable[[], T],
    *,
    what: str,
    seconds: float,
    clock: Clock,
    every: float = 0.5,
    longest: float | None = None,
    diagnose: Callable[[], str] = lambda: "",
    resolution: str = "",
) -> T:
    """Call `probe` until it does not raise NotYet, and return its result. Raises WaitTimeout after `seconds`.

    `what` completes "gave up waiting for ..."; the error's details are the last reason of NotYet, and what `diagnose`
    finds out then. The pause between two calls grows from `every` to `longest`, four times `every` if that is None.
    """
    deadline = clock.now() + seconds
    pause = every
    while True:
        try:
            return probe()
        except NotYet as not_yet:
            reason = not_yet.reason
        remaining = deadline - clock.now()
        if remaining <= 0:
            details = f"{reason}\n{diagnose()}".strip()
            raise WaitTimeout(f"gave up waiting for {what} after {seconds:g} s", details=details, resolution=resolution)
        clock.sleep(min(pause, remaining))
        pause = min(pause * 1.3, every * 4 if longest is None else longest)
