"""Ports and rules of network security groups. Pure; the shapes are securityRules of the ARM API.

https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview. Every group lets its own virtual
network in by a default rule, so that machines reach each other whatever is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from machine.drivers.cloud.ports import Opening

FIRST_PRIORITY = 100  # the least that a user's rule may have
ANYWHERE = {"*", "0.0.0.0/0", "::/0", "internet", "any"}


def rules(wanted: Sequence[Opening], networks: Sequence[str]) -> list[dict[str, Any]]:
    """One securityRule per opening, and per family of addresses where only some networks get in."""
    families = [[network for network in networks if (":" in network) is is_v6] for is_v6 in (False, True)]
    sources = [family for family in families if family] or [["*"]]
    found: list[dict[str, Any]] = []
    for opening in wanted:
        for number, source in enumerate(sources):
            suffix = f"-{number + 1}" if len(sources) > 1 else ""
            properties: dict[str, Any] = {
                "priority": FIRST_PRIORITY + len(found),
                "direction": "Inbound",
                "access": "Allow",
                "protocol": opening.protocol.capitalize(),
                "sourcePortRange": "*",
                "destinationPortRange": opening.ports,
                "destinationAddressPrefix": "*",
            }
            if len(source) == 1:
                properties["sourceAddressPrefix"] = source[0]
            else:
                properties["sourceAddressPrefixes"] = source
            found.append({"name": f"{opening.protocol}-{opening.ports}{suffix}", "properties": properties})
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
