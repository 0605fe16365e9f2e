"""Rules of Neutron's security groups as `Rule` of machine/drivers/cloud/firewall.py, and back. Pure.

https://docs.openstack.org/api-ref/network/v2/#security-group-rules-security-group-rules. A group with no rule lets
nothing in; a rule with no protocol, port or source lets in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.ports import EVERYBODY, PortRange

PROTOCOLS = {"None": "", "any": "", "0": "", "6": "tcp", "17": "udp"}  # a rule may have a number, too
GROUP_PREFIX = "group "  # before the id of a group of machines or addresses


def rules(groups: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """What any of these security groups lets in."""
    present = (rule for group in groups for rule in group.get("security_group_rules") or [])
    return [_rule(rule) for rule in present if rule.get("direction") == "ingress"]


def request(rule: Rule, group_id: str) -> dict[str, Any]:
    """The body of a new rule of a group."""
    is_group, network = rule.source.startswith(GROUP_PREFIX), rule.network
    return {
        "direction": "ingress",
        "security_group_id": group_id,
        "protocol": rule.ports.protocol,
        "port_range_min": rule.ports.first,
        "port_range_max": rule.ports.last,
        "ethertype": f"IPv{network.version if network else rule.family}",
        "remote_group_id" if is_group else "remote_ip_prefix": rule.source.removeprefix(GROUP_PREFIX),
    }


def _rule(rule: Mapping[str, Any]) -> Rule:
    protocol = str(rule.get("protocol"))
    first, last = rule.get("port_range_min"), rule.get("port_range_max")
    port_range = PortRange(
        PROTOCOLS.get(protocol, protocol), 0 if first is None else int(first), 65535 if last is None else int(last)
    )
    group = rule.get("remote_group_id") or rule.get("remote_address_group_id")
    version = 6 if rule.get("ethertype") == "IPv6" else 4
    everybody = EVERYBODY[1] if version == 6 else EVERYBODY[0]
    source = f"{GROUP_PREFIX}{group}" if group else str(rule.get("remote_ip_prefix") or everybody)
    return Rule(port_range, source, version)
