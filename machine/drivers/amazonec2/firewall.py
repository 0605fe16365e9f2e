"""Ports and rules of security groups. Pure; the shapes are IpPermissions of the EC2 API.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.cloud.ports import EVERYBODY, Opening, network, openings, parse

__all__ = [
    "ENGINE_PORT",
    "EVERYBODY",
    "Opening",
    "beyond",
    "inside",
    "missing",
    "network",
    "openings",
    "parse",
    "rules",
    "sources",
    "wanted",
]
ENGINE_PORT = 2376


def wanted(data: Mapping[str, Any], swarm: Sequence[int]) -> list[Opening]:
    """What must get in to the machine of a Driver object that has these ports of a swarm."""
    return openings(int(data.get("SSHPort") or 22), ENGINE_PORT, swarm, data.get("OpenPorts") or [])


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


def sources(present: Sequence[dict[str, Any]], port: int, last: int = 0, protocol: str = "tcp") -> list[str]:
    """From where a port, or all from it to `last`, can be reached: CIDRs, ids of prefix lists and of groups."""
    rule = {"IpProtocol": protocol, "FromPort": port, "ToPort": last or port}
    found = []
    for other in present:
        if _covers(other, rule):
            found += [source["CidrIp"] for source in other.get("IpRanges", [])]
            found += [source["CidrIpv6"] for source in other.get("Ipv6Ranges", [])]
            found += [source.get("PrefixListId", "") for source in other.get("PrefixListIds", [])]
            found += [source.get("GroupId", "") for source in other.get("UserIdGroupPairs", [])]
    return sorted(set(filter(None, found)))


def beyond(present: Sequence[dict[str, Any]], wanted: Sequence[Opening], allowed: Sequence[str]) -> list[str]:
    """Networks (CIDRs) not inside those `allowed` that reach any port of `wanted`.

    Prefix lists and other groups' machines are not judged: what is in them is not said in a rule.
    """
    found: set[str] = set()
    for rule in present:
        if any(_touches(rule, opening) for opening in wanted):
            found |= {str(source["CidrIp"]) for source in rule.get("IpRanges", [])}
            found |= {str(source["CidrIpv6"]) for source in rule.get("Ipv6Ranges", [])}
    whole = _collapsed(allowed)
    return sorted(source for source in found if not any(_within(source, other) for other in whole))


def _collapsed(networks: Sequence[str]) -> list[str]:
    """The same addresses in as few networks as can be: two halves become one."""
    found: list[str] = []
    for version in (4, 6):
        of_one = [parsed for parsed in map(ipaddress.ip_network, networks) if parsed.version == version]
        found += map(str, ipaddress.collapse_addresses(of_one))  # type: ignore[type-var]
    return found


def _within(cidr: str, other: str) -> bool:
    one, two = ipaddress.ip_network(cidr, strict=False), ipaddress.ip_network(other)
    return one.version == two.version and one.subnet_of(two)  # type: ignore[arg-type]


def _touches(rule: dict[str, Any], opening: Opening) -> bool:
    if rule.get("IpProtocol") == "-1":
        return True
    if rule.get("IpProtocol") != opening.protocol:
        return False
    return bool(rule.get("FromPort", 0) <= opening.last and opening.first <= rule.get("ToPort", 65535))


def _covers(other: dict[str, Any], rule: dict[str, Any]) -> bool:
    if other.get("IpProtocol") == "-1":
        return True
    if other.get("IpProtocol") != rule["IpProtocol"]:
        return False
    return bool(other.get("FromPort", 0) <= rule["FromPort"] and rule["ToPort"] <= other.get("ToPort", 65535))
