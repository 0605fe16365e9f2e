"""Bodies of requests of driver openstack, and what is read out of answers: rules, names, addresses."""

from __future__ import annotations

from typing import Any

from machine.drivers.cloud import firewall as kit
from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.ports import EVERYBODY, PortRange, needed_port_ranges
from machine.drivers.openstack import addresses, firewall, lookup, requests
from machine.drivers.openstack.config import Config


def rule(**more: Any) -> dict[str, Any]:
    """A rule that lets in all IPv4."""
    keys = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
    return {"direction": "ingress", "ethertype": "IPv4", **dict.fromkeys(keys), **more}


def missing(wanted: list[Rule], present: list[dict[str, Any]]) -> list[Rule]:
    """What of `wanted` the rules of a group do not let in."""
    return kit.missing(wanted, firewall.rules([{"security_group_rules": present}]))


def test_rules_that_are_missing() -> None:
    wanted = kit.rules(needed_port_ranges(22, 2376, (7946,), ()), [], "group g", (4, 6))
    bodies = [firewall.request(one, "g") for one in wanted]
    assert len(wanted) == 8, "three ports, one of them twice, for both families"
    assert missing(wanted, []) == wanted
    assert missing(wanted, bodies) == []
    everything = [rule(), rule(ethertype="IPv6")]
    assert missing(wanted, everything) == []
    assert missing(wanted, [rule(direction="egress")]) == wanted
    left = missing(wanted, [rule(protocol="tcp", port_range_min=22, port_range_max=2376)])
    assert {(one.ports.protocol, one.source, one.ports.first) for one in left} == {
        *(("tcp", "::/0", port) for port in (22, 2376, 7946)),
        *(("udp", network, 7946) for network in EVERYBODY),
        ("tcp", "0.0.0.0/0", 7946),
    }
    narrow = kit.rules(needed_port_ranges(22, 2376, (), ()), ["203.0.113.0/24"], "group g", (4, 6))
    groups = [one for one in narrow if one.source == "group g"]
    assert missing(narrow, [rule(remote_ip_prefix="203.0.0.0/16")]) == groups
    assert missing(wanted, [firewall.request(one, "g") for one in narrow]) == wanted, "a narrower rule does not do"
    assert missing(wanted, [rule(remote_address_group_id="a"), rule(remote_ip_prefix="10.0.0.5/24")]) == wanted
    by_hand = [rule(remote_ip_prefix="203.0.113.9/24"), rule(remote_group_id="g"), rule(ethertype="IPv6")]
    assert [one for one in missing(narrow, by_hand) if one.network] == []


def test_the_bodies_of_rules() -> None:
    ssh = {"direction": "ingress", "security_group_id": "g", "protocol": "tcp", "port_range_min": 22}
    ssh |= {"port_range_max": 22}
    wanted = kit.rules([PortRange("tcp", 22, 22)], ["203.0.113.0/24", "2001:db8::/32"], "group g", (4, 6))
    assert [firewall.request(one, "g") for one in wanted] == [
        {**ssh, "ethertype": "IPv4", "remote_ip_prefix": "203.0.113.0/24"},
        {**ssh, "ethertype": "IPv6", "remote_ip_prefix": "2001:db8::/32"},
        {**ssh, "ethertype": "IPv4", "remote_group_id": "g"},
        {**ssh, "ethertype": "IPv6", "remote_group_id": "g"},
    ]


def sources(present: list[dict[str, Any]], port: int, family: int = 4) -> list[str]:
    """From where a tcp port is reached by these rules of Neutron's."""
    return kit.sources(firewall.rules([{"security_group_rules": present}]), PortRange("tcp", port, port), family)


def test_from_where_a_port_is_reached() -> None:
    ssh = rule(protocol="tcp", port_range_min=22, port_range_max=22)
    assert sources([ssh], 22) == ["0.0.0.0/0"]
    assert sources([ssh], 23) == sources([ssh], 22, 6) == []
    assert sources([rule(protocol="udp")], 22) == []
    assert sources([rule(remote_group_id="g")], 22) == ["group g"]
    assert sources([rule(protocol="6", remote_ip_prefix="10.0.0.0/8")], 22) == ["10.0.0.0/8"]
    assert sources([rule(remote_address_group_id="a")], 22) == ["group a"]
    assert kit.reaches("10.1.1.1", ["group g", "10.0.0.0/8"])
    assert kit.reaches("10.1.1.1", ["10.1.1.9/24"]), "as it was written, host and all"
    assert not kit.reaches("11.1.1.1", ["group g", "10.0.0.0/8", "::/0"])


def test_ours_is_never_another_projects_group() -> None:
    present = [
        {"id": "1", "name": "docker-machine", "project_id": "theirs"},
        {"id": "3", "name": "docker-machine", "project_id": "mine"},
        {"id": "2", "name": "docker-machine", "project_id": "mine"},
        {"id": "4", "name": "web", "project_id": "theirs"},
    ]
    config = Config(account="mine")
    assert (lookup.group(present, "docker-machine", config) or {})["id"] == "2"
    assert (lookup.group(present, "web", config) or {})["id"] == "4"
    assert lookup.group(present, "docker-machine", Config(account="third")) is None


def test_the_size_of_a_root_volume() -> None:
    small = {"size": 3 * 1024**3, "min_disk": 8}
    assert requests.volume_size(Config(), {}, small) == 20
    assert requests.volume_size(Config(), {}, {"size": 25 * 1024**3 + 1}) == 26
    assert requests.volume_size(Config(), {}, {"size": 2**30, "virtual_size": 40 * 1024**3}) == 40, "it is packed"
    assert requests.volume_size(Config(volume_size=9), {}, small) == 9


def test_names_that_nova_takes() -> None:
    assert requests.own_name("a.b", "0123456789abcdef") == "a-b-0123456789ab"
    assert len(requests.own_name("a" * 300, "0123456789abcdef")) < 255


def test_the_addresses_of_a_server() -> None:
    """As ConoHa shows one port with both families, and others two networks and a floating address."""
    fixed = {"OS-EXT-IPS:type": "fixed"}
    conoha = {"ext-1": [{"version": 6, "addr": "2001:db8::5", **fixed}, {"version": 4, "addr": "203.0.113.5", **fixed}]}
    assert addresses.addresses({"addresses": conoha}, 4, "") == ("203.0.113.5", "")
    assert addresses.addresses({"addresses": conoha}, 6, "") == ("2001:db8::5", "")
    floating = {"version": 4, "addr": "198.51.100.5", "OS-EXT-IPS:type": "floating"}
    two = {"a": [{"version": 4, "addr": "10.0.0.5"}], "b": [{"version": 4, "addr": "10.1.0.5"}, floating]}
    assert addresses.addresses({"addresses": two}, 4, "b") == ("10.1.0.5", "198.51.100.5")
    assert addresses.addresses({"addresses": two}, 4, "a")[0] == "10.0.0.5"
    assert addresses.addresses({}, 4, "a") == ("", "")
