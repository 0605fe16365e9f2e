"""One stream of bytes to several readers, each at its own pace but none far ahead of the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

AHEAD = 8  # pieces that the fastest reader may be ahead of the slowest
Item = bytes | Exception | None  # a piece, why there are no more, or the end


class Tee:
    """`readers` are as many streams as asked for; `run` feeds them and ends when the source has."""

    def __init__(self, source: AsyncIterator[bytes] | bytes, count: int) -> None:
        self._source = source
        self._queues: list[asyncio.Queue[Item] | None] = [asyncio.Queue(AHEAD) for _ in range(count)]
        self.readers = [self._read(number) for number in range(count)]

    async def run(self) -> None:
        """Read the source to its end; a reader that left is not waited for. An error of the source is the readers'."""
        last: Exception | None = None
        try:
            if isinstance(self._source, bytes):
                await self._put(self._source)
            else:
                async for piece in self._source:
                    await self._put(piece)
        except Exception as error:
            last = error
        await self._put(last)

    def drop_reader(self, number: int) -> None:
        """Note that a reader wants no more."""
        queue, self._queues[number] = self._queues[number], None
        while queue is not None and not queue.empty():
            queue.get_nowait()  # so that a waiting `run` goes on

    async def _put(self, item: Item) -> None:
        for number in range(len(self._queues)):
            queue = self._queues[number]
            if queue is not None and item != b"":
                await queue.put(item)

    async def _read(self, number: int) -> AsyncIterator[bytes]:
        queue = self._queues[number]
        try:
            while queue is not None and (item := await queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.drop_reader(number)
