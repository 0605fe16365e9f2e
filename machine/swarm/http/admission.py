"""Who may wait at a listener: connections that have shown no certificate are few, and the oldest makes room. Pure.

A connection waits while it owes us something: its TLS handshake, the head of a request. One that has a call under way
does not wait. Whoever has shown a certificate is not counted among those that may be dropped, so no number of silent
connections keeps a client with a certificate out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from itertools import islice

from machine.swarm import limits

EVICTION_SCAN = 64  # of the oldest that wait: one among them that never sent a byte goes first


class ClientConnection:
    """One connection. `has_sent` = it has sent something since it came; `drop` ends it."""

    __slots__ = ("address", "authenticated", "drop", "has_sent")

    def __init__(self, address: str, drop: Callable[[], object], has_sent: Callable[[], bool]) -> None:
        self.address = address
        self.drop = drop
        self.has_sent = has_sent
        self.authenticated = False


class Admission:
    """The connections of one listener. `total`, `waiting` and `per_address` are the most of each kind."""

    def __init__(
        self,
        total: int = limits.CLIENT_CONNECTIONS,
        waiting: int = limits.CLIENT_WAITING,
        per_address: int = limits.CLIENT_WAITING_PER_ADDRESS,
    ) -> None:
        self.total = total
        self.most_waiting = waiting
        self.per_address = per_address
        self.count = 0
        self.waiting_count = 0
        self._waiting: dict[str, dict[ClientConnection, None]] = {}  # by address, the oldest first

    def arrive(self, visitor: ClientConnection) -> bool:
        """Count a new connection, which waits; whether it may stay. Another one may be dropped for it."""
        if self.count >= self.total and not self._make_room():
            return False
        self.count += 1
        self.wait(visitor)
        return True

    def wait(self, visitor: ClientConnection) -> None:
        """The connection owes us a handshake or a request from now on."""
        if visitor.authenticated:
            return
        mine = self._waiting.setdefault(visitor.address, {})
        if visitor in mine:
            return
        if len(mine) >= self.per_address:
            self._drop_oldest(visitor.address)
        elif self.waiting_count >= self.most_waiting:
            self._make_room()
        self._waiting.setdefault(visitor.address, {})[visitor] = None
        self.waiting_count += 1

    def serve(self, visitor: ClientConnection) -> None:
        """The connection has a call under way: it is not dropped for others."""
        mine = self._waiting.get(visitor.address)
        if mine is None or visitor not in mine:
            return
        del mine[visitor]
        self.waiting_count -= 1
        if not mine:
            del self._waiting[visitor.address]

    def mark_authenticated(self, visitor: ClientConnection) -> None:
        """The connection has shown a certificate that counts."""
        self.serve(visitor)
        visitor.authenticated = True

    def leave(self, visitor: ClientConnection) -> None:
        """The connection is gone."""
        self.serve(visitor)
        self.count -= 1

    def _make_room(self) -> bool:
        """Drop one that waits, of the address that has most of them; False if nobody waits."""
        if not self._waiting:
            return False
        self._drop_oldest(max(self._waiting, key=lambda address: len(self._waiting[address])))
        return True

    def _drop_oldest(self, address: str) -> None:
        oldest = list(islice(self._waiting[address], EVICTION_SCAN))
        gone = next((visitor for visitor in oldest if not visitor.has_sent()), oldest[0])
        self.serve(gone)
        gone.drop()


def limits_for(files: int) -> tuple[int, int]:
    """How many may wait in all, and from one address, where a process may open so many `files`."""
    waiting = max(min(limits.CLIENT_WAITING, files // limits.CLIENT_SHARE_OF_FILES), 16)
    return waiting, max(min(limits.CLIENT_WAITING_PER_ADDRESS, waiting // 2), 8)


def backlog_for(files: int) -> int:
    """How many new connections the system keeps for us; asyncio takes as many at once, before any can be dropped."""
    return max(min(limits.CLIENT_BACKLOG, files // limits.CLIENT_SHARE_OF_FILES // 2), 8)


@lru_cache(maxsize=1024)  # worked out for every connection, and most come from the same few addresses
def counted_as(address: str) -> str:
    """What an address is counted under: itself, or the /64 of an IPv6 one, which is what one host is given."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
