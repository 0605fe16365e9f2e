"""Calls that wait for an engine's answer to begin: they all end when the engine is found not to answer any more."""

from __future__ import annotations

import asyncio
from types import TracebackType


class PendingCalls:
    """The calls that one engine has not begun to answer. A call counts from `waiting` until its block ends."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()

    def __len__(self) -> int:
        return len(self._limits)

    def waiting(self) -> Waiting:
        """The block of one call. Raises TimeoutError if `end_all` comes before it is done."""
        return Waiting(self._limits)

    def end_all(self) -> None:
        """End every call that waits now."""
        limits, self._limits = self._limits, set()
        for limit in limits:
            limit.reschedule(0)


class Waiting:
    """One use of `PendingCalls.waiting`. A class, because a generator costs more than the block on most calls."""

    __slots__ = ("_limit", "_limits")

    def __init__(self, limits: set[asyncio.Timeout]) -> None:
        self._limits = limits
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._limits.add(self._limit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limits.discard(self._limit)  # while it is still in force: a finished one cannot be set again
        await self._limit.__aexit__(kind, error, trace)
