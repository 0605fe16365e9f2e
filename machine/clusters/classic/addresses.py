"""Addresses in classic swarm: where a manager listens, and by which address an engine is reached. Pure."""

from __future__ import annotations

import ipaddress
import re

from machine import hostport
from machine.errors import UsageError
from machine.model import Endpoint, SwarmOptions
from machine.swarm.http.address import Address, parse

ANY_ADDRESS = "0.0.0.0"


def manager_address(options: SwarmOptions) -> Address:
    """Return where --swarm-host has the manager listen. Raises UsageError if that is no address."""
    return parse(options.host, default_port=hostport.MANAGER_PORT, default_host=ANY_ADDRESS)


def client_address(endpoint: Endpoint) -> str:
    """Return "host:port" of the engine as this computer reaches it."""
    return hostport.join(endpoint.address, endpoint.engine_port)


def peer_address(options: SwarmOptions, endpoint: Endpoint, *, same_network: bool = False) -> str:
    """Return "host:port" of the engine as other machines reach it: --swarm-addr, else its address.

    With `same_network`, for machines of the same platform and network, that is the address for peers.
    """
    host, port = split_host(options.address)
    if host:
        return hostport.join(host, port or endpoint.listen_port)
    if endpoint.peer_address and (same_network or is_loopback(endpoint.address)):
        return hostport.join(endpoint.peer_address, endpoint.listen_port)
    return client_address(endpoint)


def addresses_to_register(options: SwarmOptions, endpoint: Endpoint) -> list[str]:
    """Return every address under which the engine is registered, the one from here first."""
    others = [peer_address(options, endpoint, same_network=same_network) for same_network in (False, True)]
    return list(dict.fromkeys([client_address(endpoint), *others]))


def is_loopback(host: str) -> bool:
    """Return whether an address or name is one of loopback, which means another computer to each that uses it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_host(text: str) -> tuple[str, int]:
    """Return the host, in lower case and without brackets, and the port, 0 if there is none.

    Raises UsageError if it is not of the form HOST or HOST:PORT.
    """
    host, port = hostport.split(text.rpartition("@")[2])
    number = hostport.port_number(port)
    if (port and not number) or number > 65535 or re.search(r"[\s/?#\[\]]", host):
        raise UsageError(f"{text!r} is not an address of the form HOST or HOST:PORT")
    return host.lower(), number
