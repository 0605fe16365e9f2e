"""What a discovery store does for the election of a primary among several managers."""

from __future__ import annotations

from abc import ABC, abstractmethod


class ElectionCandidate(ABC):
    """One manager standing for election, in some key-value store; `address` is where replicas reach it."""

    def __init__(self, address: str, ttl: int) -> None:
        self.address = address
        self.ttl = ttl

    @abstractmethod
    async def leader(self) -> str:
        """Who leads now, "" if nobody."""

    @abstractmethod
    async def campaign(self) -> bool:
        """Try to become the leader; whether we are."""

    @abstractmethod
    async def renew(self) -> bool:
        """Stay the leader for another ttl; whether we still are."""

    @abstractmethod
    async def resign(self) -> None:
        """Stop being the leader, so that another may at once."""

    @abstractmethod
    async def wait_for_change(self, seconds: float) -> None:
        """Return when the leader may have changed, at the latest after `seconds`."""
