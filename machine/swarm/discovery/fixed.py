"""Lists that are written down: `nodes://a:1,b:1` and `file://PATH`."""

from __future__ import annotations

import asyncio

from machine.errors import masked
from machine.swarm import bounded_file
from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.discovery.ranges import addresses

UNCHANGED = 0.5  # seconds for which a file that has lost lines has to stay the same


class Nodes(Discovery):
    """Addresses in the URL itself, with ranges."""

    def __init__(self, text: str) -> None:
        self.description = masked(f"nodes://{text}")
        self._nodes = addresses(text.split(","))

    async def nodes(self) -> list[str]:
        """The addresses in the URL."""
        return list(self._nodes)


class File(Discovery):
    """One address or range per line; `#` begins a comment. Read again on every look, but a pipe only once."""

    def __init__(self, path: str) -> None:
        self.description = f"file://{path}"
        self._path = path
        self._last: list[str] = []

    async def nodes(self) -> list[str]:
        """Those in the file as it is now. If some are missing that were there, it is read until it stays the same."""
        if self._last and bounded_file.is_pipe(self._path):
            return list(self._last)
        found = await self._read()
        while not set(self._last) <= set(found):  # somebody may be writing it
            await asyncio.sleep(UNCHANGED)
            self._last, found = found, await self._read()
        self._last = found
        return found

    async def _read(self) -> list[str]:
        try:
            text = (await asyncio.to_thread(bounded_file.read, self._path)).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise DiscoveryError(
                f"{self._path} cannot be read: {why}", resolution="put a file with one HOST:PORT on each line there"
            ) from error
        return addresses([line.partition("#")[0] for line in text.splitlines()])
