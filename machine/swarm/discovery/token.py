"""`token://`: the token protocol's client, and the same over a registry on this disk.

POST /clusters makes a token; POST /clusters/T?ttl=N with "ip:port" as body registers; GET /clusters/T lists them as a
JSON array. The protocol of Docker's hosted service, which is gone.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from urllib.parse import quote, urlsplit

from machine.errors import masked
from machine.swarm.discovery.base import Discovery
from machine.swarm.discovery.fetch import Answer, DiscoveryError, DiscoveryRefused, DiscoveryUrlError, excerpt, fetch
from machine.swarm.discovery.ranges import addresses_in_answer
from machine.swarm.discovery.registry import TOKEN, Registry

REGISTRY_POLL_SECONDS = 2.0  # between two reads of a registry on this disk
_NOTHING_TO_WITHDRAW = (404, 405)  # the token is gone, or the service has no DELETE: it forgets entries after their ttl
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def base_of(url: str) -> str:
    """A service's base URL, checked: https, or http on loopback. Raises DiscoveryError otherwise."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = parts.hostname or ""
        parts.port  # noqa: B018 (raises for what is no port)
    except ValueError as error:
        raise DiscoveryUrlError(f"{masked(url)!r} is not a URL: {error}") from error
    if parts.scheme == "http" and not (host in LOOPBACK or host.startswith("127.")):
        raise DiscoveryUrlError(f"{masked(url)}: plain http is for loopback only; write https://")
    if parts.scheme not in ("http", "https") or not host:
        raise DiscoveryUrlError(f"{masked(url)!r} is not the URL of a discovery service, such as https://HOST:PORT/v1")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


@contextmanager
def naming_variable() -> Iterator[None]:
    """Ask, in the block, the service at $MACHINE_DISCOVERY_URL: a DiscoveryError that leaves it names the variable."""
    try:
        yield
    except DiscoveryUrlError as error:
        raise DiscoveryUrlError(
            f"$MACHINE_DISCOVERY_URL: {error}", "write it as https://HOST:PORT/v1, or unset it"
        ) from error
    except DiscoveryError as error:
        raise type(error)(
            f"$MACHINE_DISCOVERY_URL: {error}", f"{error.resolution}; if that is not the service, set the variable anew"
        ) from error


class Token(Discovery):
    """A token of the service at `base`; `of_variable` = the base is that of $MACHINE_DISCOVERY_URL, for errors."""

    def __init__(self, base: str, token: str, tls: ssl.SSLContext | None = None, *, of_variable: bool = False) -> None:
        self.description = f"token:// at {masked(base)}"
        self._url = f"{base}/clusters/{quote(token, safe='')}"
        self._tls = tls
        self._naming: Callable[[], AbstractContextManager[None]] = naming_variable if of_variable else nullcontext

    async def nodes(self) -> list[str]:
        """Return the addresses that the service lists under the token.

        Raises DiscoveryError if it does not answer, or does not know the token.
        """
        return addresses_in_answer((await self._ask("GET", self._url)).json(), self.description)

    async def register(self, address: str, ttl: int) -> None:
        """Register an address with the service, for `ttl` seconds.

        Raises DiscoveryError if it does not answer, or refuses.
        """
        await self._ask("POST", f"{self._url}?ttl={ttl}", address.encode())

    async def deregister(self, address: str) -> None:
        """Deregister an address; a service with the old protocol only forgets it after its ttl.

        Raises DiscoveryError if it does not answer, or refuses.
        """
        with self._naming():
            answer = await fetch("DELETE", f"{self._url}?address={quote(address, safe='')}", tls=self._tls)
        if answer.status >= 300 and answer.status not in _NOTHING_TO_WITHDRAW:
            raise DiscoveryError(f"{self.description} answered {answer.status}: {excerpt(answer.body)}")

    async def _ask(self, method: str, url: str, body: bytes = b"") -> Answer:
        with self._naming():
            answer = await fetch(method, url, body, headers={"content-type": "application/json"}, tls=self._tls)
        if answer.status == 404:
            raise DiscoveryRefused(
                f"{self.description} does not know the token (404); machine swarm create makes one",
                resolution="look for a typing error in the token, or make one: machine swarm create",
            )
        if answer.status >= 300:
            kind = DiscoveryRefused if 400 <= answer.status < 500 else DiscoveryError
            raise kind(f"{self.description} answered {answer.status}: {excerpt(answer.body)}")
        return answer


class LocalToken(Discovery):
    """A token of a registry on this disk, by path: the machine store's own, when no service is named."""

    reads_are_atomic = True  # written in transactions

    def __init__(self, path: str, token: str) -> None:
        self.description = f"token:// in {path}"
        self.registry = Registry(path)
        self._token = token

    async def is_known(self) -> bool:
        """Whether somebody has made the token here, or taken it.

        Raises DiscoveryError if the registry cannot be read.
        """
        return await asyncio.to_thread(self.registry.has_token, self._token)

    async def record_token(self) -> None:
        """Put the token into the registry, whoever made it. Raises DiscoveryError if the registry refuses it."""
        await asyncio.to_thread(self.registry.add_token, self._token)

    async def watch(self, heartbeat: float) -> AsyncIterator[list[str] | DiscoveryError]:
        """Yield the addresses whenever they change; the file is read every few seconds, which costs nothing."""
        await self.record_token()
        async for found in super().watch(min(heartbeat, REGISTRY_POLL_SECONDS)):
            yield found

    async def nodes(self) -> list[str]:
        """Return the addresses that the registry has under the token.

        Raises DiscoveryError if it does not answer, or does not know the token.
        """
        return await asyncio.to_thread(self.registry.nodes, self._token)

    async def register(self, address: str, ttl: int) -> None:
        """Write an address to the registry, for `ttl` seconds; 0 = for ever.

        Raises DiscoveryError if it does not answer, or refuses.
        """
        await asyncio.to_thread(self.registry.register, self._token, address, ttl)

    async def deregister(self, address: str) -> None:
        """Remove an address from the registry. Raises DiscoveryError if it does not answer, or refuses."""
        await asyncio.to_thread(self.registry.remove, self._token, address)


async def create(base: str, tls: ssl.SSLContext | None = None) -> str:
    """A new token of the service at `base`."""
    answer = await fetch("POST", f"{base}/clusters", tls=tls)
    token = answer.body.decode("utf-8", "replace").strip().strip('"')
    if answer.status >= 300 or not token:
        raise DiscoveryError(f"{masked(base)} made no token: it answered {answer.status}: {excerpt(answer.body)}")
    if not TOKEN.match(token):
        raise DiscoveryError(f"{masked(base)} made something that is not a token")
    return token
