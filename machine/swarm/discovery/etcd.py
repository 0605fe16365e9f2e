"""`etcd://`: etcd's v3 API over HTTP and JSON, its own gateway.

A node is a key with a lease of its ttl; the leader is a key that only one can create, with a lease it keeps alive.
API: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/ .
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.candidate import ElectionCandidate
from machine.swarm.discovery.fetch import DiscoveryError, excerpt, fetch, lines, understood
from machine.swarm.discovery.keys import KeyPath
from machine.swarm.discovery.ranges import addresses_in_answer
from machine.swarm.parsing import request_json

PORT = 2379


class Etcd(Discovery):
    """The nodes of one etcd cluster."""

    def __init__(self, paths: KeyPath, tls: ssl.SSLContext | None = None) -> None:
        self.description = f"etcd://{','.join(paths.hosts)}/{paths.nodes}"
        self.paths = paths
        self._tls = tls
        self._host = paths.hosts[0]  # the one that answered last
        self._leases: dict[str, str] = {}
        self._revision = 0  # of the last look; the watch begins after it, so that nothing falls between

    async def nodes(self) -> list[str]:
        """Every key under the nodes' path."""
        found = await self.call("kv/range", _under(self.paths.nodes))
        with understood(self.description):
            self._revision = revision(found)
            return addresses_in_answer(sorted(_text(kv["value"]) for kv in found.get("kvs", ())), self.description)

    async def register(self, address: str, ttl: int) -> None:
        """Put the key with a fresh lease, and let the old lease go."""
        lease = await self.lease(ttl)
        await self.call("kv/put", {"key": _b64(self._key(address)), "value": _b64(address), "lease": lease})
        old = self._leases.get(address)
        self._leases[address] = lease
        if old:
            with suppress(DiscoveryError):
                await self.call("lease/revoke", {"ID": old})

    async def lease(self, ttl: int) -> str:
        """A new lease of `ttl` seconds; its id."""
        with understood(self.description):
            return str((await self.call("lease/grant", {"TTL": str(ttl)}))["ID"])

    async def deregister(self, address: str) -> None:
        """Delete the key."""
        await self.call("kv/deleterange", {"key": _b64(self._key(address))})

    async def watch(self, heartbeat: float) -> AsyncIterator[list[str] | DiscoveryError]:
        """As etcd tells; it is read anew on every change, and at least every heartbeat."""
        last: list[str] | None = None
        while True:
            try:
                found = await self.nodes()
                if found != last:
                    last = found
                    yield found
                await self.wait_for_change(_under(self.paths.nodes), self._revision, heartbeat)
            except DiscoveryError as error:
                yield error
                await asyncio.sleep(min(heartbeat, 2.0))

    async def wait_for_change(self, keys: dict[str, Any], revision: int, seconds: float) -> None:
        """Return when one of the keys changes after that revision, or after `seconds`.

        Raises DiscoveryError if etcd refuses.
        """
        host = self._host
        body = json.dumps({"create_request": {**keys, "start_revision": str(revision + 1)}}).encode()
        try:
            async with asyncio.timeout(seconds):
                async for line in lines("POST", self._url(host, "watch"), body, tls=self._tls):
                    with understood(self.description):
                        answer = request_json.read(line)
                        failure, result = answer.get("error"), dict(answer.get("result") or {})
                    if failure:
                        raise DiscoveryError(f"{self.description}: {excerpt(str(failure).encode())}")
                    if result.get("canceled"):  # the revision is compacted away: look again
                        await asyncio.sleep(1)
                        return
                    if result.get("events"):
                        return
        except TimeoutError:
            return

    async def call(self, method: str, value: dict[str, Any]) -> dict[str, Any]:
        """One call to the first host that answers. Raises DiscoveryError with the last one's reason."""
        failure: DiscoveryError | None = None
        for host in self.paths.hosts:
            try:
                answer = await fetch("POST", self._url(host, method), json.dumps(value).encode(), tls=self._tls)
            except DiscoveryError as error:
                failure = error
                continue
            if answer.status != 200:
                failure = DiscoveryError(f"etcd at {host}: {method}: {answer.status} {excerpt(answer.body)}")
                continue
            self._host = host
            value = answer.json()
            return value if isinstance(value, dict) else {}
        raise failure or DiscoveryError(f"{self.description} has no hosts")

    def candidate(self, address: str, ttl: int) -> EtcdCandidate:
        """Us, standing for election as `address`."""
        return EtcdCandidate(self, address, ttl)

    def _key(self, address: str) -> str:
        return f"{self.paths.nodes}/{address}"

    def _url(self, host: str, method: str) -> str:
        return f"{'https' if self._tls else 'http'}://{host}/v3/{method}"


class EtcdCandidate(ElectionCandidate):
    """A leader is who created the leader's key; it goes with its lease."""

    def __init__(self, etcd: Etcd, address: str, ttl: int) -> None:
        super().__init__(address, ttl)
        self._etcd = etcd
        self._key = _b64(etcd.paths.leader)
        self._lease = ""
        self._revision = 0

    async def leader(self) -> str:
        """The leader's address, "" without one."""
        answer = await self._etcd.call("kv/range", {"key": self._key})
        with understood(self._etcd.description):
            self._revision = revision(answer)
            found = answer.get("kvs", ())
            return _text(found[0]["value"]) if found else ""

    async def campaign(self) -> bool:
        """Create the key if nobody has it. Who loses has no lease, which would end while nobody renews it."""
        if await self.leader():
            return False
        lease = await self._etcd.lease(self.ttl)
        put = {"key": self._key, "value": _b64(self.address), "lease": lease}
        free = {"key": self._key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        answer = await self._etcd.call("kv/txn", {"compare": [free], "success": [{"request_put": put}]})
        won = bool(answer.get("succeeded"))
        if won:
            self._lease = lease
        else:  # another was faster
            with suppress(DiscoveryError):
                await self._etcd.call("lease/revoke", {"ID": lease})
        return won

    async def renew(self) -> bool:
        """Keep the lease alive; False when it is over, and the key with it."""
        answer = await self._etcd.call("lease/keepalive", {"ID": self._lease})
        with understood(self._etcd.description):
            alive = int(answer.get("result", {}).get("TTL", 0) or 0) > 0
        if not alive:
            self._lease = ""
        return alive

    async def resign(self) -> None:
        """Revoke the lease."""
        lease, self._lease = self._lease, ""
        if lease:
            await self._etcd.call("lease/revoke", {"ID": lease})

    async def wait_for_change(self, seconds: float) -> None:
        """Until the leader's key changes."""
        await self._etcd.wait_for_change({"key": self._key}, self._revision, seconds)


def revision(answer: dict[str, Any]) -> int:
    """The store's revision that an answer speaks of."""
    return int(answer.get("header", {}).get("revision", 0))


def _under(path: str) -> dict[str, str]:
    """The range of all keys that begin with `path/`."""
    return {"key": _b64(path + "/"), "range_end": _b64(path + "0")}  # "0" is the sign after "/"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(value: str) -> str:
    return base64.b64decode(value).decode("utf-8", "replace")
