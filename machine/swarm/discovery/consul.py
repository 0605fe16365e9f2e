"""`consul://`: consul's key-value store over HTTP.

A node is a key held by a session of its ttl, deleted when the session ends; the leader likewise.
API: https://developer.hashicorp.com/consul/api-docs/kv and /session.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import quote

from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.candidate import ElectionCandidate
from machine.swarm.discovery.fetch import Answer, DiscoveryError, excerpt, fetch, understood
from machine.swarm.discovery.keys import KeyPath
from machine.swarm.discovery.ranges import addresses_in_answer

PORT = 8500
SHORTEST_TTL, MAX_SESSION_TTL = 10, 86400  # seconds that consul accepts for a session


class Consul(Discovery):
    """The nodes of one consul."""

    def __init__(self, paths: KeyPath, tls: ssl.SSLContext | None = None) -> None:
        self.description = f"consul://{','.join(paths.hosts)}/{paths.nodes}"
        self.paths = paths
        self._tls = tls
        self._sessions: dict[str, str] = {}
        self._index = 0

    async def nodes(self) -> list[str]:
        """Every key under the nodes' path."""
        return self._addresses_in(await self.call("GET", f"kv/{quote(self.paths.nodes)}/?recurse"))

    async def register(self, address: str, ttl: int) -> None:
        """Renew the session that holds the key, or open one and take the key over; make the key again if it is gone."""
        key = self._key(address)
        session = self._sessions.get(address, "")
        if not session or (await self.call("PUT", f"session/renew/{session}")).status != 200:
            session = self._sessions[address] = await self.session(ttl)
        elif await self._holder(key) == session:
            return
        if not await self.acquire(key, address, session):
            await self._free(key)
            if not await self.acquire(key, address, session):
                raise DiscoveryError(f"{self.description}: {address} is held by another session")

    async def deregister(self, address: str) -> None:
        """Delete the key."""
        self._sessions.pop(address, None)
        _check_answer(await self.call("DELETE", f"kv/{quote(self._key(address))}"), self.description)

    async def watch(self, heartbeat: float) -> AsyncIterator[list[str] | DiscoveryError]:
        """Yield the addresses whenever consul's blocking query returns with others."""
        last: list[str] | None = None
        index = "0"
        while True:
            try:
                wait = max(int(heartbeat), 1)
                answer = await self.call(
                    "GET", f"kv/{quote(self.paths.nodes)}/?recurse&index={index}&wait={wait}s", seconds=wait * 1.1 + 5
                )
                addresses = self._addresses_in(answer)
            except DiscoveryError as error:
                index = "0"
                yield error
                await asyncio.sleep(min(heartbeat, 2.0))
                continue
            index = answer.headers.get("x-consul-index", "0")
            if addresses != last:
                last = addresses
                yield addresses
            elif index == "0":
                await asyncio.sleep(heartbeat)

    async def session(self, ttl: int) -> str:
        """A new session that deletes its keys when it ends."""
        seconds = min(max(ttl, SHORTEST_TTL), MAX_SESSION_TTL)
        settings = {"TTL": f"{seconds}s", "Behavior": "delete", "LockDelay": "0s"}
        answer = _check_answer(
            await self.call("PUT", "session/create", json.dumps(settings).encode()), self.description
        )
        with understood(self.description):
            return str(answer.json()["ID"])

    async def acquire(self, key: str, value: str, session: str) -> bool:
        """Take a key for a session; False when another session has it."""
        answer = await self.call("PUT", f"kv/{quote(key)}?acquire={session}", value.encode())
        return answer.status == 200 and answer.body.strip() == b"true"

    async def call(self, method: str, path: str, body: bytes = b"", *, seconds: float = 10.0) -> Answer:
        """One call to the first host that answers without a server's error."""
        failure: DiscoveryError | None = None
        for host in self.paths.hosts:
            url = f"{'https' if self._tls else 'http'}://{host}/v1/{path}"
            try:
                answer = await fetch(method, url, body, tls=self._tls, seconds=seconds)
            except DiscoveryError as error:
                failure = error
                continue
            if answer.status < 500:
                return answer
            failure = DiscoveryError(f"consul at {host} answered {answer.status}: {excerpt(answer.body)}")
        raise failure or DiscoveryError(f"{self.description} has no hosts")

    def candidate(self, address: str, ttl: int) -> ConsulCandidate:
        """Us, standing for election as `address`."""
        return ConsulCandidate(self, address, ttl)

    def _addresses_in(self, answer: Answer) -> list[str]:
        if answer.status == 404:  # no key yet
            return []
        with understood(self.description):
            values = [
                base64.b64decode(kv["Value"] or b"").decode() for kv in _check_answer(answer, self.description).json()
            ]
            return addresses_in_answer(sorted(values), self.description)

    async def _free(self, key: str) -> None:
        """End the session that holds a key of ours: it is from an earlier run, whose heartbeat nobody keeps."""
        holder = await self._holder(key)
        if holder:
            await self.call("PUT", f"session/destroy/{holder}")

    async def _holder(self, key: str) -> str:
        """The session that holds a key; "" if none does, or there is no such key."""
        answer = await self.call("GET", f"kv/{quote(key)}")
        with understood(self.description):
            return str(answer.json()[0].get("Session") or "") if answer.status == 200 else ""

    def _key(self, address: str) -> str:
        return f"{self.paths.nodes}/{address}"


class ConsulCandidate(ElectionCandidate):
    """A leader is whose session holds the leader's key."""

    def __init__(self, consul: Consul, address: str, ttl: int) -> None:
        super().__init__(address, ttl)
        self._consul = consul
        self._key = consul.paths.leader
        self._session = ""
        self._index = "0"

    async def leader(self) -> str:
        """The leader's address, "" without one."""
        answer = await self._consul.call("GET", f"kv/{quote(self._key)}")
        self._index = answer.headers.get("x-consul-index", "0")
        with understood(self._consul.description):
            held = answer.json()[0] if answer.status == 200 else {}
            return base64.b64decode(held.get("Value") or b"").decode() if held.get("Session") else ""

    async def campaign(self) -> bool:
        """Take the key if nobody has it."""
        if not self._session:
            self._session = await self._consul.session(self.ttl)
        try:
            won = await self._consul.acquire(self._key, self.address, self._session)
        except DiscoveryError:
            self._session = ""  # it may be over: take a new one next time
            raise
        if not won and (await self._consul.call("PUT", f"session/renew/{self._session}")).status != 200:
            self._session = ""
        return won

    async def renew(self) -> bool:
        """Renew the session; False when it is over, and the key with it."""
        answer = await self._consul.call("PUT", f"session/renew/{self._session}")
        if answer.status != 200:
            self._session = ""
        return answer.status == 200 and await self.leader() == self.address

    async def resign(self) -> None:
        """End the session."""
        session, self._session = self._session, ""
        if session:
            with suppress(DiscoveryError):
                await self._consul.call("PUT", f"session/destroy/{session}")

    async def wait_for_change(self, seconds: float) -> None:
        """Until the leader's key changes."""
        wait = max(int(seconds), 1)
        path = f"kv/{quote(self._key)}?index={self._index}&wait={wait}s"
        await self._consul.call("GET", path, seconds=wait * 1.1 + 5)


def _check_answer(answer: Answer, description: str) -> Answer:
    if answer.status >= 300:
        raise DiscoveryError(f"{description} answered {answer.status}: {excerpt(answer.body)}")
    return answer
