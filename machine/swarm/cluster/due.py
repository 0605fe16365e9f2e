"""What of an engine is to be looked at again, because its events say so or it is time."""

from __future__ import annotations

import asyncio

from machine.swarm import limits

EVERYTHING = "*"  # stands for all containers


class DueRefreshes:
    """Kinds of objects, and ids of containers. What comes while some are looked at is due in the next round."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._has_names = asyncio.Event()

    def __len__(self) -> int:
        return len(self._names)

    def add(self, *names: str) -> None:
        """Note kinds or ids; an engine that names too many, or nonsense, has all its containers looked at."""
        for name in names:
            enough = len(self._names) >= limits.EVENT_DUE or len(name) > limits.ENGINE_NAME_LETTERS
            self._names.add(EVERYTHING if enough else name)
        self._has_names.set()

    def take(self) -> set[str]:
        """Return what is due; nothing is then."""
        names, self._names = self._names, set()
        self._has_names.clear()
        return names

    async def wait(self) -> None:
        """Wait until something is due."""
        await self._has_names.wait()
