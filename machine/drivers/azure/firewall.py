"""Rules of network security groups, made of `Rule` of machine/drivers/cloud/firewall.py. Pure.

Their shape is that of securityRules in the ARM API.

https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview. Every group lets its own virtual
network in by a default rule, so that machines reach each other whatever is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from machine.drivers.azure.resources import Json, properties
from machine.drivers.cloud import firewall
from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.ports import EVERYBODY, PortRange

FIRST_PRIORITY = 100  # the least that a user's rule may have
ANYWHERE = ("*", "internet", "any")  # Azure's words for every address, in small letters


def security_rules(wanted: Iterable[PortRange], networks: Sequence[str]) -> list[Json]:
    """One securityRule per range of ports and network (CIDR), or per range alone where everybody gets in."""
    rules = firewall.rules(wanted, networks or ANYWHERE[:1])
    return [_security_rule(rule, priority) for priority, rule in enumerate(rules, FIRST_PRIORITY)]


def allowed(present: Iterable[Mapping[str, Any]], port_range: PortRange) -> list[Rule]:
    """The rules that let a range of ports in, by priority up to the securityRule that keeps everybody out."""
    found: list[Rule] = []
    for one in sorted(map(properties, present), key=lambda rule: int(rule.get("priority") or 0)):
        rules = [rule for rule in _rules(one) if rule.covers_ports(port_range)]
        if one.get("access") != "Deny":
            found += rules
        elif any(rule.source in EVERYBODY for rule in rules):
            break
    return found


def _security_rule(rule: Rule, priority: int) -> Json:
    port_range = rule.ports
    return {
        "name": f"{port_range.protocol}-{port_range.ports}-{priority}",
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": port_range.protocol.capitalize(),
            "sourceAddressPrefix": rule.source,
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": port_range.ports,
        },
    }


def _rules(inner: Mapping[str, Any]) -> list[Rule]:
    """What the properties of one securityRule say of packets that come in, one Rule per source and range of ports."""
    if inner.get("direction") != "Inbound":
        return []
    sources = [str(one) for one in (*inner.get("sourceAddressPrefixes", []), inner.get("sourceAddressPrefix")) if one]
    ranges = [str(one) for one in (*inner.get("destinationPortRanges", []), inner.get("destinationPortRange")) if one]
    protocol = str(inner.get("protocol")).lower().replace("*", "")
    port_ranges = [PortRange(protocol, first, last) for first, last in map(_ports, ranges)]
    everybody = EVERYBODY[0]
    return [Rule(one, everybody if source.lower() in ANYWHERE else source) for one in port_ranges for source in sources]


def _ports(text: str) -> tuple[int, int]:
    """The first and the last port of *, 80 or 8000-8100; (0, 0), in which no port is, for anything else."""
    first, dash, last = text.replace("*", "0-65535").partition("-")
    last = last if dash else first
    return (int(first), int(last)) if first.isdecimal() and last.isdecimal() else (0, 0)
