"""What every way of finding engines can do."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from machine.swarm.discovery.fetch import DiscoveryError

FIRST_PAUSE = 1.0  # seconds between the first two reads; it doubles up to the heartbeat while nothing changes


class Discovery(ABC):
    """Where the addresses of engines are read and registered, by a discovery URL. Addresses are "host:port"."""

    description = ""  # for logs: the URL without what is secret in it
    reads_are_atomic = False  # whether an empty list is meant: it cannot be a file that is being rewritten

    @abstractmethod
    async def nodes(self) -> list[str]:
        """The addresses registered now, in a stable order. Raises DiscoveryError if they cannot be had."""

    async def register(self, address: str, ttl: int) -> None:  # noqa: ARG002
        """Register an address for `ttl` seconds; to be repeated before they are over.

        Raises DiscoveryError if the store refuses, or nothing can join it.
        """
        raise DiscoveryError(f"{self.description} is a fixed list: nothing can join it")

    async def deregister(self, address: str) -> None:  # noqa: ARG002
        """Remove an address; one that is not registered is no error."""
        raise DiscoveryError(f"{self.description} is a fixed list: nothing can leave it")

    async def watch(self, heartbeat: float) -> AsyncIterator[list[str] | DiscoveryError]:
        """Yield the addresses now, and again whenever they change; errors are yielded too, and reading goes on.

        Reads often at first (an engine registers seconds after its manager started), then every `heartbeat` seconds.
        """
        wait = min(FIRST_PAUSE, heartbeat)
        last: list[str] | None = None
        while True:
            try:
                addresses = await self.nodes()
            except DiscoveryError as error:
                yield error
            else:
                if addresses != last:
                    wait = min(FIRST_PAUSE, heartbeat)
                    last = addresses
                    yield addresses
            await asyncio.sleep(wait)
            wait = min(wait * 2, heartbeat)
