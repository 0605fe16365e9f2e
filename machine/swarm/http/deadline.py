"""How long things may take: limits that are set and lifted many times for each call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType


class Deadline:
    """Calls `expire` when blocks that were entered by `within` take longer than they may, once for each such time.

    One timer does for all blocks: it is left running when a block ends, and looks what is due when it goes off. Timers
    for each block are a tenth of what a short call costs. Call `stop` when nothing more is to come.
    """

    __slots__ = ("_expire", "_open", "_timer")

    def __init__(self, expire: Callable[[], object]) -> None:
        self._expire = expire
        self._open: list[float] = []  # by the loop's clock, when each block that is entered has to be left
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float | None) -> Block:
        """A block that may take so long; None = as long as it likes."""
        return Block(self, seconds)

    def stop(self) -> None:
        """Let the timer go; blocks that are entered afterwards start it again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self, seconds: float) -> float:
        """Enter a block; the number is for `end`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self._open.append(until)
        if self._timer is None or self._timer.when() > until:
            self.stop()
            self._timer = loop.call_at(until, self._check)
        return until

    def end(self, until: float) -> None:
        """Leave a block."""
        self._open.remove(until)

    def _check(self) -> None:
        self._timer = None
        if not self._open:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if min(self._open) <= now:
            self._expire()
        later = [until for until in self._open if until > now]
        if later and self._timer is None:
            self._timer = loop.call_at(min(later), self._check)


class Block:
    """One use of `Deadline.within`."""

    __slots__ = ("_deadline", "_seconds", "_until")

    def __init__(self, deadline: Deadline, seconds: float | None) -> None:
        self._deadline = deadline
        self._seconds = seconds
        self._until = 0.0

    def __enter__(self) -> None:
        if self._seconds is not None:
            self._until = self._deadline.begin(self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._seconds is not None:
            self._deadline.end(self._until)
