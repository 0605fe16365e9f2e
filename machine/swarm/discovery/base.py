"""What every way of finding engines can do."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from machine.swarm.discovery.fetch import DiscoveryError

FIRST_WAIT = 1.0  # seconds until the second look; it doubles up to the heartbeat while nothing changes


class Discovery(ABC):
    """Where the addresses of engines are read and registered, by a discovery URL. Addresses are "host:port"."""

    description = ""  # for logs: the URL without what is secret in it
    reads_are_atomic = False  # whether an empty list is meant: it cannot be a file that is being rewritten

    @abstractmethod
    async def nodes(self) -> list[str]:
        """The addresses registered now, in a stable order. DiscoveryError when they cannot be had."""

    async def register(self, address: str, ttl: int) -> None:  # noqa: ARG002
        """Enter an address for `ttl` seconds; to be repeated before they are over. DiscoveryError."""
        raise DiscoveryError(f"{self.description} is a fixed list: nothing can join it")

    async def deregister(self, address: str) -> None:  # noqa: ARG002
        """Take an address out; one that is not there is out."""
        raise DiscoveryError(f"{self.description} is a fixed list: nothing can leave it")

    async def watch(self, heartbeat: float) -> AsyncIterator[list[str] | DiscoveryError]:
        """The addresses now, and again whenever they change; an error is yielded, not raised, and asking goes on.

        Looks often at first (an engine registers seconds after its manager started), then every `heartbeat` seconds.
        """
        wait = min(FIRST_WAIT, heartbeat)
        last: list[str] | None = None
        while True:
            try:
                addresses = await self.nodes()
            except DiscoveryError as error:
                yield error
            else:
                if addresses != last:
                    wait = min(FIRST_WAIT, heartbeat)
                    last = addresses
                    yield addresses
            await asyncio.sleep(wait)
            wait = min(wait * 2, heartbeat)
