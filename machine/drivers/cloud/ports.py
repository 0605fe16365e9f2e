"""Ports as clouds' firewalls are told of them. Pure; drivers that make a firewall read it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EVERYBODY = ("0.0.0.0/0", "::/0")
BY_PORT = {4789: ("udp",), 7946: ("tcp", "udp")}  # swarm mode's; all others are tcp


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Ports `first` to `last` of one protocol, "tcp" or "udp"."""

    protocol: str
    first: int
    last: int

    @property
    def ports(self) -> str:
        """The range as most clouds write it: 80 or 8000-8100."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def parse(text: str) -> PortRange:
    """`80`, `53/udp` or `8000-8100/tcp`. Raises ValueError on anything else."""
    ports, _, protocol = text.strip().lower().partition("/")
    first, dash, last = ports.partition("-")
    protocol, last = protocol or "tcp", last if dash else first
    whole = all(part.isascii() and part.isdigit() and 0 < int(part) < 65536 for part in (first, last))
    if protocol not in ("tcp", "udp") or not whole or int(first) > int(last):
        raise ValueError(text)
    return PortRange(protocol, int(first), int(last))


def needed_port_ranges(ssh: int, engine: int, swarm: Iterable[int], more: Iterable[str]) -> list[PortRange]:
    """Everything that must get in: ssh, the engine, swarm ports, and the user's own."""
    found = [PortRange("tcp", ssh, ssh), PortRange("tcp", engine, engine)]
    return sorted({*found, *cluster_port_ranges(swarm), *map(parse, more)})


def cluster_port_ranges(ports: Iterable[int]) -> list[PortRange]:
    """What must get in for these ports of a swarm."""
    return [PortRange(protocol, port, port) for port in ports for protocol in BY_PORT.get(port, ("tcp",))]


def network(text: str) -> str:
    """A CIDR in its canonical spelling, one address meaning itself alone. Raises ValueError if it is none."""
    return str(ipaddress.ip_network(text.strip(), strict=False))


def group_name(base: str, networks: Sequence[str]) -> str:
    """The name of the group, shared by machines, that lets in these networks (CIDRs) only; `base` when it is everybody.

    Groups only ever gain rules, so one that some machine opened to everybody cannot keep a promise to another: each set
    of networks has a group of its own, `base` and 8 hexadecimal digits. Order, spelling and repeats do not matter.
    Raises ValueError on what is no network.
    """
    wanted = sorted({network(text) for text in networks})
    if not wanted:
        return base
    import hashlib  # not at the top: `status` comes by here, and needs none

    return f"{base}-{hashlib.sha256(','.join(wanted).encode()).hexdigest()[:8]}"
