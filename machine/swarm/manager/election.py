"""Who of several managers is the primary: everyone stands, one wins, and steps down when its lease cannot be kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from machine.swarm.discovery.candidate import ElectionCandidate
from machine.swarm.discovery.fetch import DiscoveryError
from machine.swarm.discovery.ranges import address as host_and_port

RETRY = 10.0  # seconds until a candidate that lost, or could not ask, stands again; a change wakes it earlier


class Election:
    """The state of one candidacy. `run` keeps it going; `primary` is the leader's address, "" while there is none."""

    def __init__(self, candidate: ElectionCandidate, *, log: Callable[[str], None] = lambda _: None) -> None:
        self.candidate = candidate
        self.primary = ""
        self.log = log
        self._change = asyncio.Event()

    @property
    def leading(self) -> bool:
        """Whether this manager is the primary."""
        return self.primary == self.candidate.address

    async def wait_for_primary(self) -> str:
        """Wait until there is a primary, and return its address."""
        await self.wait_for_change("")
        return self.primary

    async def run(self) -> None:
        """Campaign, lead while the lease holds, and campaign again, without end; when cancelled, resign."""
        try:
            while True:
                try:
                    if await self.candidate.campaign():
                        self.set_primary(self.candidate.address)
                        await self._lead()
                        self.set_primary("")
                    else:
                        leader = await self.candidate.leader()
                        self.set_primary(host_and_port(leader) if leader else "")
                        await self.candidate.wait_for_change(RETRY if self.primary else 1.0)
                except DiscoveryError as error:
                    self.set_primary("")
                    self.log(f"election: {error}")
                    await asyncio.sleep(min(RETRY, max(self.candidate.ttl / 4, 0.5)))
        finally:
            if self.leading:
                self.set_primary("")
                with suppress(DiscoveryError, asyncio.CancelledError):
                    await asyncio.wait_for(self.candidate.resign(), 2)

    async def _lead(self) -> None:
        """Renew the lease; return when it is lost, or may be: a whole ttl without an answer."""
        kept = time.monotonic()
        while time.monotonic() - kept < self.candidate.ttl:
            await asyncio.sleep(self.candidate.ttl / 3)
            try:
                async with asyncio.timeout(self.candidate.ttl / 3):
                    if not await self.candidate.renew():
                        return
                kept = time.monotonic()
            except (DiscoveryError, TimeoutError) as error:
                self.log(f"election: the lease could not be renewed: {error}")

    def set_primary(self, primary: str) -> None:
        """Note the address of the primary, "" for none, and wake who waits for a change."""
        if primary == self.primary:
            return
        self.log(f"election: the primary is {primary or 'nobody'}")
        self.primary = primary
        change, self._change = self._change, asyncio.Event()
        change.set()

    async def wait_for_change(self, primary: str) -> None:
        """Until the primary is another than this one, or there is none any more; at once if that is so already."""
        while self.primary == primary:
            await self._change.wait()
