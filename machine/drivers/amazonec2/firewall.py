"""Rules of EC2's security groups as `Rule` of machine/drivers/cloud/firewall.py, and back. Pure.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.ports import PortRange

SOURCES = (  # of an IpPermission: the list, the key of one
    ("IpRanges", "CidrIp"),
    ("Ipv6Ranges", "CidrIpv6"),
    ("PrefixListIds", "PrefixListId"),
    ("UserIdGroupPairs", "GroupId"),
)


def rules(groups: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """What any of these security groups lets in, from networks, prefix lists (by id) and groups (by id)."""
    found = []
    for permission in (permission for group in groups for permission in group.get("IpPermissions", [])):
        protocol = str(permission.get("IpProtocol"))
        port_range = PortRange(
            "" if protocol == "-1" else protocol, permission.get("FromPort", 0), permission.get("ToPort", 65535)
        )
        for kind, key in SOURCES:
            found += [Rule(port_range, str(source[key])) for source in permission.get(kind, []) if source.get(key)]
    return found


def request(rule: Rule) -> dict[str, Any]:
    """A rule as an IpPermission to be authorised."""
    network = rule.network
    kind, key = SOURCES[3] if network is None else SOURCES[0 if network.version == 4 else 1]
    port_range = rule.ports
    return {
        "IpProtocol": port_range.protocol,
        "FromPort": port_range.first,
        "ToPort": port_range.last,
        kind: [{key: rule.source}],
    }
