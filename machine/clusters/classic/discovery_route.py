"""Who registers the nodes of a classic swarm in its discovery store, and the URL of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from machine.clusters.classic.addresses import is_loopback, split_host
from machine.errors import UsageError, masked
from machine.model import SwarmOptions
from machine.swarm.discovery import DiscoveryError
from machine.swarm.discovery.token import base_of

_SELF_REGISTERING_SCHEMES = ("etcd", "consul")  # a node can register itself there


@dataclass(frozen=True, slots=True)
class DiscoveryRoute:
    """Who registers the nodes of one discovery store, and the URL by which programs on machines find it.

    The nodes do it themselves, or this program does when it creates them, or nobody does where the list is fixed.
    """

    url: str  # as a program on a machine has to be given it
    nodes_register_themselves: bool = False
    token: str = ""  # set if this program registers the nodes; no service keeps it that a machine reaches

    @property
    def create_registers_nodes(self) -> bool:
        """Whether `create` has to register the nodes: with this computer, and with each master of the swarm."""
        return bool(self.token)


def resolve_route(discovery: str, environ: Mapping[str, str]) -> DiscoveryRoute:
    """Return the route of a discovery URL; a bare token's service is that of $MACHINE_DISCOVERY_URL, if it is set.

    A URL out of a record names the service already (`resolve_discovery`), except one with TLS on this computer.
    """
    scheme, _, rest = discovery.partition("://")
    if scheme in _SELF_REGISTERING_SCHEMES:
        return DiscoveryRoute(discovery, nodes_register_themselves=True)
    if scheme != "token":
        return DiscoveryRoute(discovery)
    service_address, _, token = rest.rpartition("/")
    if not service_address and environ.get("MACHINE_DISCOVERY_URL"):
        service = environ["MACHINE_DISCOVERY_URL"]
        parts = urlsplit(service if "://" in service else f"https://{service}")
        service_address = f"{parts.netloc}{parts.path.rstrip('/')}"
    if not service_address or is_loopback(split_host(service_address.partition("/")[0])[0]):
        return DiscoveryRoute(f"token://{token}", token=token)
    return DiscoveryRoute(f"token://{service_address}/{token}", nodes_register_themselves=True)


def resolve_discovery(options: SwarmOptions, environ: Mapping[str, str]) -> SwarmOptions:
    """Return the options with a bare token's service written out: a record must not depend on the environment.

    Raises UsageError if $MACHINE_DISCOVERY_URL is no service's. One with TLS on this computer cannot be written in a
    URL.
    """
    scheme, _, token = options.discovery.partition("://")
    service = environ.get("MACHINE_DISCOVERY_URL", "")
    if not (options.is_swarm and service and scheme == "token" and token and "/" not in token):
        return options
    try:
        scheme, _, service_address = base_of(service).partition("://")
    except (DiscoveryError, ValueError) as error:
        raise UsageError(
            f"$MACHINE_DISCOVERY_URL cannot be used: {error}",
            resolution="write it as https://HOST:PORT/v1, or unset it",
        ) from error
    if scheme == "https" and is_loopback(split_host(service_address.partition("/")[0])[0]):
        return options
    return replace(options, discovery=f"token://{service_address}/{token}")


def without_token(discovery: str) -> str:
    """Return a discovery's URL with its token and its password masked."""
    return masked(discovery)
