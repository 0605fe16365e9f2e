"""Clients that follow events. What one has not read is kept up to a number of bytes; beyond it its stream ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from machine.swarm import events, limits

Filters = Mapping[str, Sequence[str]]


class Subscriber:
    """A client of /events, and the lines that it has not read yet."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._news = asyncio.Event()

    def offer(self, event: Mapping[str, Any], line: bytes) -> None:
        """Keep an event that passes the filters; `line` is the event as bytes, shared with the others."""
        if self._ended or (self._filters and not events.passes(event, self._filters)):
            return
        self._bytes += len(line)
        self._lines.append(line)
        if self._bytes > limits.EVENT_UNREAD or len(self._lines) > limits.EVENT_UNREAD_COUNT:
            self._lines.clear()
            self._ended = True
        self._news.set()

    async def next(self) -> bytes | None:
        """The next line, waiting for one; None when too much was left unread."""
        while not self._lines:
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        line = self._lines.popleft()
        self._bytes -= len(line)
        return line


class Subscribers:
    """All subscribers of a manager's events."""

    def __init__(self) -> None:
        self._all: set[Subscriber] = set()

    def __len__(self) -> int:
        return len(self._all)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Send an event to every subscriber."""
        if self._all:
            line = events.encode(event)
            for subscriber in self._all:
                subscriber.offer(event, line)

    async def listen(self, filters: Filters) -> AsyncIterator[bytes]:
        """The lines of events from now on that pass. Ends when they are not read for too long."""
        subscriber = Subscriber(filters)
        self._all.add(subscriber)
        try:
            while (line := await subscriber.next()) is not None:
                yield line
        finally:
            self._all.discard(subscriber)
