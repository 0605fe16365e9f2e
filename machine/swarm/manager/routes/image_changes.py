"""Images that change through the manager: known before anybody asks for them, without waiting for an event.

A build, a load or a commit says when it is over, and then its engine's images are listed again. What goes through a
raw connection (buildx speaks gRPC to the engine) says nothing: while one is open, and once after it ended, the images
are listed again whenever somebody wants to know of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress

from machine.swarm.cluster import Cluster, Engine
from machine.swarm.cluster.images import ImageTable, NewestTags, changed_tags
from machine.swarm.parsing.image_name import familiar
from machine.swarm.pipeline import ApiError, Hijack


class _Change:
    """What is under way on one engine: how many calls, and its tags before the first of them."""

    def __init__(self, tags_before: dict[str, str]) -> None:
        self.open = 0
        self.before = tags_before


class ImageChanges:
    """What is being done to images on which engine. `newest` says what tags mean since."""

    def __init__(self, cluster: Cluster) -> None:
        self.newest = NewestTags()
        self._cluster = cluster
        self._changes: dict[Engine, _Change] = {}
        self._refresh_lock = asyncio.Lock()
        self._superseded: tuple[int, list[ImageTable], set[tuple[str, str]]] = (-1, [], set())

    def begin(self, engine: Engine) -> None:
        """Note that a call which may change the images of `engine` begins."""
        change = self._changes.setdefault(engine, _Change(dict(engine.image_table.tags)))
        change.open += 1

    def end(self, engine: Engine) -> None:
        """Note that such a call has ended; the images are listed when somebody next needs them."""
        change = self._changes.get(engine)
        if change is not None:
            change.open -= 1

    async def finish(self, engine: Engine, tags: Iterable[str] = ()) -> None:
        """Note that such a call has ended, and list the images now.

        `tags` are those that the call gave, whether or not they meant the same before.
        """
        self.end(engine)
        await self._refresh(engine)
        self.note([engine], tags)

    def note(self, engines: Iterable[Engine], tags: Iterable[str]) -> None:
        """Note that these tags mean, from now on, the images that they name on these engines."""
        tables = [engine.image_table for engine in engines]
        for tag in dict.fromkeys(familiar(tag) for tag in tags if tag):
            self.newest.note(tag, [table.tags[tag] for table in tables if tag in table.tags])

    async def settle(self) -> None:
        """Wait until the images of all engines that calls have changed are listed again."""
        if not self._changes:
            return
        async with self._refresh_lock:
            await asyncio.gather(*(self._refresh(engine) for engine in list(self._changes)))

    async def _refresh(self, engine: Engine) -> None:
        change = self._changes.get(engine)
        over = change is not None and change.open <= 0
        with suppress(ApiError):
            if engine.reachable:
                await engine.refresh_kinds("image")
        if change is None:
            return
        now = engine.image_table.tags
        for tag in changed_tags(change.before, now):
            self.newest.note(tag, [now[tag]])
        change.before = dict(now)
        if over and change.open <= 0 and self._changes.get(engine) is change:
            del self._changes[engine]

    def meant_by(self, name: str) -> frozenset[str]:
        """The images that a name means since it was last changed through the manager; see NewestTags.of."""
        return self.newest.of(name, (engine.image_table for engine in self._cluster.engines.values()))

    def superseded_tags(self) -> set[tuple[str, str]]:
        """(tag, image id) of images with a tag that means another image now; worked out when something has changed."""
        tables, changes = self.tables(), self.newest.changes
        if self._superseded[0] != changes or self._superseded[1] != tables:
            self._superseded = (changes, tables, self.newest.superseded_tags(tables))
        return self._superseded[2]

    def tables(self) -> list[ImageTable]:
        """The image tables of all engines, those that do not answer too: what they had counts until they say more."""
        return [engine.image_table for engine in self._cluster.engines.values()]


class WatchedConnection(Hijack):
    """A raw connection that calls `on_close` once when it is closed."""

    def __init__(self, connection: Hijack, on_close: Callable[[], None]) -> None:
        self._connection = connection
        self._on_close: Callable[[], None] | None = on_close

    async def read(self, limit: int = 65536) -> bytes:
        """Read from the connection, see Hijack.read."""
        return await self._connection.read(limit)

    async def write(self, data: bytes) -> None:
        """Write to the connection, see Hijack.write."""
        await self._connection.write(data)

    async def end(self) -> None:
        """End the sending side, see Hijack.end."""
        await self._connection.end()

    def close(self) -> None:
        """Close the connection, see Hijack.close, and call `on_close`."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        self._connection.close()


async def pass_on_and_finish(
    body: AsyncIterator[bytes], finish: Callable[[], Awaitable[None]], broken_off: Callable[[], None]
) -> AsyncIterator[bytes]:
    """Pass a body on, and wait for `finish()` before its end is passed on; `broken_off()` if it does not come whole."""
    whole = False
    try:
        async for piece in body:
            yield piece
        whole = True
        await finish()
    finally:
        if not whole:
            broken_off()
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
