"""Rules of Neutron's security groups. Pure; the shapes are those of the Network API.

https://docs.openstack.org/api-ref/network/v2/#security-group-rules-security-group-rules. A group with no rule lets
nothing in; a rule with no protocol, port or source lets in all of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.cloud.ports import EVERYBODY, Opening

Rule = Mapping[str, Any]
ANY = (None, "any", "0")
NUMBERS = {"tcp": "6", "udp": "17"}  # a rule may have either


def rules(wanted: Sequence[Opening], networks: Sequence[str], group: str) -> list[dict[str, Any]]:
    """One rule per opening and source. Where only some networks get in, the group's own machines do too."""
    found: list[dict[str, Any]] = []
    for opening in wanted:
        rule = {
            "direction": "ingress",
            "security_group_id": group,
            "protocol": opening.protocol,
            "port_range_min": opening.first,
            "port_range_max": opening.last,
        }
        found += [
            {**rule, "ethertype": _family(network), "remote_ip_prefix": network} for network in networks or EVERYBODY
        ]
        if networks:
            found += [{**rule, "ethertype": family, "remote_group_id": group} for family in ("IPv4", "IPv6")]
    return found


def missing(wanted: Sequence[Rule], present: Sequence[Rule]) -> list[dict[str, Any]]:
    """What of `wanted` no rule of `present` allows yet."""
    return [dict(rule) for rule in wanted if not any(_covers(other, rule) for other in present)]


def sources(present: Sequence[Rule], port: int, family: str = "IPv4", protocol: str = "tcp") -> list[str]:
    """From where a port can be reached: networks, and ids of groups (of machines or addresses) behind `group `."""
    found, allowed = set(), (protocol, NUMBERS[protocol], *ANY)
    for rule in present:
        if not _lets_in(rule, family) or rule.get("protocol") not in allowed or not _has(rule, port, port):
            continue
        group = rule.get("remote_group_id") or rule.get("remote_address_group_id")
        found.add(f"group {group}" if group else _source(rule))
    return sorted(found)


def reaches(address: str, sources_: Sequence[str]) -> bool:
    """Whether one of the networks holds an address."""
    where = ipaddress.ip_address(address)
    return any(where in _network(source) for source in sources_ if not source.startswith("group "))


def _covers(other: Rule, rule: Rule) -> bool:
    if not _lets_in(other, rule["ethertype"]) or other.get("protocol") not in (None, rule["protocol"]):
        return False
    if not _has(other, rule["port_range_min"], rule["port_range_max"]):
        return False
    if other.get("remote_address_group_id"):
        return False
    if rule.get("remote_group_id") or other.get("remote_group_id"):
        return bool(other.get("remote_group_id") == rule.get("remote_group_id"))
    mine, theirs = _network(_source(rule)), _network(_source(other))
    return mine.version == theirs.version and mine.subnet_of(theirs)  # type: ignore[arg-type]


def _lets_in(rule: Rule, family: str) -> bool:
    return rule.get("direction") == "ingress" and rule.get("ethertype", family) == family


def _has(rule: Rule, first: int, last: int) -> bool:
    least, most = rule.get("port_range_min"), rule.get("port_range_max")
    return (least is None or int(least) <= first) and (most is None or last <= int(most))


def _source(rule: Rule) -> str:
    return str(rule.get("remote_ip_prefix") or (EVERYBODY[1] if rule.get("ethertype") == "IPv6" else EVERYBODY[0]))


def _network(source: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Neutron shows a rule as it was written, so there may be bits of a host in it."""
    return ipaddress.ip_network(source, strict=False)


def _family(network: str) -> str:
    return "IPv6" if ":" in network else "IPv4"
