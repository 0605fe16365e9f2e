"""Ports and rules of network security groups. Pure; the shapes are securityRules of the ARM API.

https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview. Every group lets its own virtual
network in by a default rule, so that machines reach each other whatever is said here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FIRST_PRIORITY = 100  # the least that a user's rule may have
ANYWHERE = {"*", "0.0.0.0/0", "::/0", "internet", "any"}
BY_PORT = {4789: ("udp",), 7946: ("tcp", "udp")}  # swarm mode's; all others are tcp


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """Ports `first` to `last` of one protocol."""

    protocol: str
    first: int
    last: int

    @property
    def ports(self) -> str:
        """As ARM writes it: 80 or 8000-8100."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def parse(text: str) -> Opening:
    """`80`, `53/udp` or `8000-8100/tcp`; ValueError on anything else."""
    ports, _, protocol = text.strip().lower().partition("/")
    first, dash, last = ports.partition("-")
    protocol, last = protocol or "tcp", last if dash else first
    whole = all(part.isascii() and part.isdigit() and 0 < int(part) < 65536 for part in (first, last))
    if protocol not in ("tcp", "udp") or not whole or int(first) > int(last):
        raise ValueError(text)
    return Opening(protocol, int(first), int(last))


def network(text: str) -> str:
    """A CIDR in its canonical spelling, one address meaning itself alone; ValueError."""
    return str(ipaddress.ip_network(text.strip(), strict=False))


def openings(ssh: int, engine: int, swarm: Iterable[int], more: Iterable[str]) -> list[Opening]:
    """Everything that must get in: ssh, the engine, swarm ports, and the user's own."""
    found = [Opening("tcp", ssh, ssh), Opening("tcp", engine, engine)]
    found += [Opening(protocol, port, port) for port in swarm for protocol in BY_PORT.get(port, ("tcp",))]
    return sorted({*found, *map(parse, more)})


def rules(wanted: Sequence[Opening], networks: Sequence[str]) -> list[dict[str, Any]]:
    """One securityRule per opening, and per family of addresses where only some networks get in."""
    families = [[net for net in networks if (":" in net) is six] for six in (False, True)]
    sources = [family for family in families if family] or [["*"]]
    found: list[dict[str, Any]] = []
    for opening in wanted:
        for number, source in enumerate(sources):
            suffix = f"-{number + 1}" if len(sources) > 1 else ""
            found.append(
                {
                    "name": f"{opening.protocol}-{opening.ports}{suffix}",
                    "properties": {
                        "priority": FIRST_PRIORITY + len(found),
                        "direction": "Inbound",
                        "access": "Allow",
                        "protocol": opening.protocol.capitalize(),
                        "sourcePortRange": "*",
                        "destinationPortRange": opening.ports,
                        "destinationAddressPrefix": "*",
                        **(
                            {"sourceAddressPrefix": source[0]}
                            if len(source) == 1
                            else {"sourceAddressPrefixes": source}
                        ),
                    },
                }
            )
    return found


def sources(present: Iterable[Mapping[str, Any]], port: int) -> list[str]:
    """From where a tcp port is let in by these rules, in the order of their priority up to the first refusal."""
    found: list[str] = []
    for rule in sorted((rule.get("properties", {}) for rule in present), key=lambda p: int(p.get("priority", 0))):
        if not _covers(rule, port):
            continue
        named = [*rule.get("sourceAddressPrefixes", []), rule.get("sourceAddressPrefix")]
        from_where = [str(source) for source in named if source]
        if rule.get("access") == "Deny":
            if ANYWHERE.intersection(source.lower() for source in from_where):
                break
            continue
        found += from_where
    return list(dict.fromkeys(found))


def _covers(rule: Mapping[str, Any], port: int) -> bool:
    if rule.get("direction") != "Inbound" or str(rule.get("protocol", "")).lower() not in ("*", "tcp"):
        return False
    for text in [*rule.get("destinationPortRanges", []), rule.get("destinationPortRange")]:
        first, dash, last = str(text or "").partition("-")
        if text == "*" or (first.isdigit() and int(first) <= port <= int(last if dash else first)):
            return True
    return False
