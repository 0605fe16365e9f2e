"""Calls that wait for an engine's answer to begin: they all end when the engine is found not to answer any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PendingCalls:
    """The calls that one engine has not begun to answer. A call counts from `waiting` until its block ends."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()

    def __len__(self) -> int:
        return len(self._limits)

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """The block of one call; TimeoutError when `end_all` comes before it is done."""
        async with asyncio.timeout(None) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:  # while the limit is still in force: a finished one cannot be set again
                self._limits.discard(limit)

    def end_all(self) -> None:
        """End every call that waits now."""
        limits, self._limits = self._limits, set()
        for limit in limits:
            limit.reschedule(0)
