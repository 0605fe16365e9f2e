"""Where things lie in a key-value store: `etcd://h1,h2/prefix` puts nodes under prefix/docker/swarm/nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from machine.errors import masked
from machine.swarm.discovery.fetch import DiscoveryUrlError
from machine.swarm.discovery.ranges import addresses

NODES = "docker/swarm/nodes"
LEADER = "docker/swarm/leader"


class KeyPath(NamedTuple):
    """Hosts of the store as host:port; the keys' beginnings, without a slash at either end."""

    hosts: tuple[str, ...]
    nodes: str
    leader: str


def parse_key_path(location: str, port: int, options: Mapping[str, str]) -> KeyPath:
    """The place in `h1:1,h2/prefix`; `port` for hosts without one; the option kv.path replaces docker/swarm/nodes."""
    text, _, prefix = location.partition("/")
    hosts = [host if _has_port(host) else f"{host}:{port}" for host in text.split(",") if host]
    if not hosts:
        raise DiscoveryUrlError(
            f"{masked(location)!r} names no host of the key-value store: HOST[:PORT][,HOST...][/PREFIX]"
        )
    return KeyPath(
        tuple(addresses(hosts)),
        _join(prefix, options.get("kv.path") or NODES),
        _join(prefix, LEADER),
    )


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _join(*parts: str) -> str:
    return "/".join(part.strip("/") for part in parts if part.strip("/"))
