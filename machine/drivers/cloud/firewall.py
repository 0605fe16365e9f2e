"""Rules of a firewall in the terms of no cloud: what has to be let in, what is, and warnings of the difference. Pure.

A cloud's driver translates its rules into these and back; https://docs.aws.amazon.com/AWSEC2/latest/APIReference/ and
https://docs.openstack.org/api-ref/network/v2/ are the models.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from machine.drivers.cloud.config import CloudConfig
from machine.drivers.cloud.ports import EVERYBODY, PortRange, cluster_port_ranges, parse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ALL = PortRange("", 0, 65535)  # every port of every protocol


@dataclass(frozen=True, slots=True)
class Rule:
    """One source that may reach the ports of one range, whose protocol may be "" for all of them."""

    ports: PortRange
    source: str  # a network (CIDR), or the cloud's word for what else gets in, such as the id of a group of machines
    family: int = 0  # 4 or 6: a source that is no network and gets in by this family only

    @property
    def network(self) -> Network | None:
        """The source as a network, None if it is something else. Bits of a host in it do not matter."""
        try:
            return ipaddress.ip_network(self.source, strict=False)
        except ValueError:
            return None

    def covers_ports(self, wanted: PortRange) -> bool:
        """Whether every port of `wanted` is among the rule's."""
        own = self.ports
        return own.protocol in ("", wanted.protocol) and own.first <= wanted.first and wanted.last <= own.last

    def overlaps(self, wanted: PortRange) -> bool:
        """Whether any port of `wanted` is among the rule's."""
        own = self.ports
        return own.protocol in ("", wanted.protocol) and own.first <= wanted.last and wanted.first <= own.last

    def allows_family(self, family: int) -> bool:
        """Whether packets of IPv4 (4) or IPv6 (6) get in; 0 is any."""
        own = self.network.version if self.network else self.family
        return 0 in (own, family) or own == family

    def covers(self, other: Rule) -> bool:
        """Whether all that another rule lets in gets in by this one."""
        if not self.covers_ports(other.ports):
            return False
        if self.network is None or other.network is None:
            return self.source == other.source and self.family in (0, other.family)
        return _inside(other.network, self.network)


def rules(
    wanted: Iterable[PortRange], networks: Sequence[str], group: str = "", families: Sequence[int] = (0,)
) -> list[Rule]:
    """One rule per range of ports and source. Where only some networks get in, the machines of the same group do too.

    `families` are those in which the cloud makes a rule for a group, one by one; (0,) where one is for both.
    """
    sources = [(network, 0) for network in networks or EVERYBODY]
    if networks and group:
        sources += [(group, family) for family in families]
    return [Rule(port_range, source, family) for port_range in wanted for source, family in sources]


def missing(wanted: Iterable[Rule], present: Sequence[Rule]) -> list[Rule]:
    """The rules of `wanted` that no rule of `present` covers."""
    return [rule for rule in wanted if not any(other.covers(rule) for other in present)]


def sources(present: Iterable[Rule], port_range: PortRange, family: int = 0) -> list[str]:
    """The sources from which all ports of a range can be reached, sorted."""
    return sorted({rule.source for rule in present if rule.covers_ports(port_range) and rule.allows_family(family)})


def networks(sources: Iterable[str]) -> list[str]:
    """The sources that are networks: a computer elsewhere may be in one."""
    return [source for source in sources if Rule(ALL, source).network is not None]


def reaches(address: str, sources: Iterable[str]) -> bool:
    """Whether one of the sources is a network that holds an address."""
    where = ipaddress.ip_address(address)
    return any(where in (Rule(ALL, source).network or ()) for source in sources)


def sources_outside(present: Iterable[Rule], wanted: Sequence[PortRange], allowed: Sequence[str]) -> list[str]:
    """Networks (CIDRs) not inside those `allowed` that reach any port of `wanted`.

    Other sources, such as groups of machines, are not judged: what is in them is not said in a rule.
    """
    found = {rule.source for rule in present if any(map(rule.overlaps, wanted))}
    whole = list(_collapsed(allowed))
    return [
        source
        for source in networks(sorted(found))
        if not any(_inside(ipaddress.ip_network(source, strict=False), other) for other in whole)
    ]


def closed_port_warnings(
    present: Sequence[Rule], config: CloudConfig, cluster_ports: Sequence[int], firewall_name: str, family: int = 0
) -> list[str]:
    """A sentence for every port that a machine needs and that no rule lets in.

    `firewall_name` is what the sentences call the firewall: "the firewalls a, b".

    ssh and the engine have to be let in by address, for this computer uses them; the others may also be let in from a
    group of machines.
    """
    said = f"no rule of {firewall_name} lets port"
    lines = [
        f"{said} {port} in from here: {who} needs it"
        for port, who in ((config.ssh_port, "ssh"), (config.engine_port, "Docker"))
        if not networks(sources(present, PortRange("tcp", port, port), family))
    ]
    more = [(parse(text), f"--{config.flags.driver_name}-open-port") for text in config.open_ports]
    more += [(port_range, "the swarm") for port_range in cluster_port_ranges(cluster_ports)]
    return lines + [
        f"{said} {port_range.ports}/{port_range.protocol} in: {who} needs it"
        for port_range, who in more
        if not sources(present, port_range, family)
    ]


def explain(present: Iterable[Rule], port: int, firewall_name: str) -> str:
    """Why `firewall_name` ("its firewalls (a, b)") may block clients of a tcp port, "" if everybody gets in."""
    allowed = sources(present, PortRange("tcp", port, port))
    if not allowed:
        return f"no rule of {firewall_name} lets port {port} in"
    if set(allowed).isdisjoint(EVERYBODY):
        return f"{firewall_name} let port {port} in from {', '.join(allowed)} only"
    return ""


def _inside(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _collapsed(networks: Sequence[str]) -> Iterator[Network]:
    """The same addresses in as few networks as can be: two halves become one."""
    for version in (4, 6):
        of_one = [parsed for parsed in map(ipaddress.ip_network, networks) if parsed.version == version]
        yield from ipaddress.collapse_addresses(of_one)  # type: ignore[type-var]
