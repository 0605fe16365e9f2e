"""Lists that are written down: `nodes://a:1,b:1` and `file://PATH`."""

from __future__ import annotations

from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.discovery.ranges import addresses
from machine.swarm.masks import masked

LARGEST = 16 << 20  # bytes of a file


class Nodes(Discovery):
    """Addresses in the URL itself, with ranges."""

    def __init__(self, text: str) -> None:
        self.shown = masked(f"nodes://{text}")
        self._nodes = addresses(text.split(","))

    async def nodes(self) -> list[str]:
        """Those of the URL."""
        return list(self._nodes)


class File(Discovery):
    """One address or range per line; `#` begins a comment. Read again on every look."""

    def __init__(self, path: str) -> None:
        self.shown = f"file://{path}"
        self._path = path

    async def nodes(self) -> list[str]:
        """Those in the file as it is now."""
        try:
            with open(self._path, encoding="utf-8") as file:
                text = file.read(LARGEST)
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise DiscoveryError(f"{self._path} cannot be read: {why}") from error
        return addresses([line.partition("#")[0] for line in text.splitlines()])
