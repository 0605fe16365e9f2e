"""Ports and rules of security groups. Pure; the shapes are IpPermissions of the EC2 API.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from machine.drivers.ports import EVERYBODY, Opening, network, openings, parse

__all__ = ["EVERYBODY", "Opening", "inside", "missing", "network", "openings", "parse", "rules", "sources"]


def inside(address: str, cidr: str) -> bool:
    """Whether a network holds an address; every network holds ""."""
    return not address or ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def rules(wanted: Sequence[Opening], networks: Sequence[str], group: str) -> list[dict[str, Any]]:
    """One IpPermission per opening. Where only some networks get in, the group's own machines do too."""
    found = []
    for opening in wanted:
        rule: dict[str, Any] = {"IpProtocol": opening.protocol, "FromPort": opening.first, "ToPort": opening.last}
        sources = networks or EVERYBODY
        rule["IpRanges"] = [{"CidrIp": source} for source in sources if ":" not in source]
        rule["Ipv6Ranges"] = [{"CidrIpv6": source} for source in sources if ":" in source]
        if networks:
            rule["UserIdGroupPairs"] = [{"GroupId": group}]
        found.append(rule)
    return found


def missing(wanted: Sequence[dict[str, Any]], present: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What of `wanted` no rule of `present` allows yet, as IpPermissions to be authorised."""
    found = []
    for rule in wanted:
        left: dict[str, Any] = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort")}
        covering = [other for other in present if _covers(other, rule)]
        for key, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("UserIdGroupPairs", "GroupId")):
            have = {source.get(name) for other in covering for source in other.get(key, [])}
            rest = [source for source in rule.get(key, []) if source[name] not in have]
            if rest:
                left[key] = rest
        if len(left) > 3:
            found.append(left)
    return found


def sources(present: Sequence[dict[str, Any]], port: int) -> list[str]:
    """From where a tcp port can be reached: CIDRs and group ids."""
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    found = []
    for other in present:
        if _covers(other, rule):
            found += [source["CidrIp"] for source in other.get("IpRanges", [])]
            found += [source["CidrIpv6"] for source in other.get("Ipv6Ranges", [])]
            found += [source.get("GroupId", "") for source in other.get("UserIdGroupPairs", [])]
    return sorted(set(filter(None, found)))


def _covers(other: dict[str, Any], rule: dict[str, Any]) -> bool:
    if other.get("IpProtocol") == "-1":
        return True
    if other.get("IpProtocol") != rule["IpProtocol"]:
        return False
    return bool(other.get("FromPort", 0) <= rule["FromPort"] and rule["ToPort"] <= other.get("ToPort", 65535))
