"""Opening a listener safely, by the same rules for the manager, swarmd and the token service.

docs/security.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from machine.errors import UsageError
from machine.swarm.http.address import TLS_PORT, Address, TlsConfig, parse
from machine.swarm.http.browser_requests import rejection_reason
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Request

CERTIFICATES = "--tlsverify --tlscacert --tlscert --tlskey"
OPEN_CERTIFICATES = "--tls --tlscert --tlskey"  # of a listener whose clients show no certificate


class ListenerPolicy(NamedTuple):
    """What the command line says of a listener.

    `grants` are words for what somebody who reaches it can use. `open_to_all` = with TLS it serves clients without a
    certificate by design, because they have to know a token. `cors` = web pages of other sites are allowed.
    `address_flag` = what an address follows on that command line, "" if it stands alone.
    """

    tls: TlsConfig | None
    grants: str
    insecure: bool = False
    open_to_all: bool = False
    cors: bool = False
    address_flag: str = ""


async def listen(server: Server, url: str, policy: ListenerPolicy, *, port: int, host: str = "localhost") -> Address:
    """Listen at `url`, of which `port` and `host` are the defaults (2376 with TLS); the real address.

    Raises UsageError if that is no address, or must not be listened at.
    """
    trust = policy.tls
    address = parse(url, default_port=TLS_PORT if trust else port, default_host=host)
    check(address, policy)
    return await server.listen(address, trust, rejection_check(address, policy), policy.address_flag)


def check(address: Address, policy: ListenerPolicy) -> None:
    """Raises UsageError if whoever reaches the address would get what only clients with a certificate should."""
    if address.loopback or policy.insecure:
        return
    if policy.tls is None:
        flags = OPEN_CERTIFICATES if policy.open_to_all else CERTIFICATES
        raise UsageError(
            f"listening on {address} without TLS would give {policy.grants} to whoever can reach it",
            resolution=f"add {flags}, or --insecure if you mean it",
        )
    if not policy.tls.verify and not policy.open_to_all:
        raise UsageError(
            f"listening on {address} with TLS but without TLS of clients would give {policy.grants} to whoever can "
            "reach it: no certificate is asked for",
            resolution="add --tlsverify and --tlscacert, or --insecure if you mean it",
        )


def rejection_check(address: Address, policy: ListenerPolicy) -> Callable[[Request], str]:
    """Why a request is not taken at this address, "" if it is. Web pages are kept off where no certificate is shown."""
    if address.path or (policy.tls is not None and policy.tls.verify):
        return lambda _: ""
    own = frozenset((address.host.lower(),))
    check_host = address.loopback and policy.tls is None
    return lambda request: rejection_reason(request, own=own, check_host=check_host, check_origin=not policy.cors)
