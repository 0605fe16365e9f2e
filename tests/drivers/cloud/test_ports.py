"""Ports as users write them and as firewalls are told of them."""

from __future__ import annotations

import pytest

from machine.drivers.cloud.ports import PortRange, group_name, needed_port_ranges, network, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("80", PortRange("tcp", 80, 80)),
        (" 53/UDP ", PortRange("udp", 53, 53)),
        ("8000-8100/tcp", PortRange("tcp", 8000, 8100)),
        ("1-65535", PortRange("tcp", 1, 65535)),
    ],
)
def test_what_is_understood(text: str, found: PortRange) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    "text", ["", "http", "0", "65536", "80-", "-80", "90-80", "80/icmp", "80 81", "1-2-3", "\u0664"]
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parse(text)


def test_swarm_modes_ports_have_their_protocols() -> None:
    found = needed_port_ranges(22, 2376, (2377, 7946, 4789), ["80", "22"])
    assert [(o.protocol, o.ports) for o in found] == [
        ("tcp", "22"),
        ("tcp", "80"),
        ("tcp", "2376"),
        ("tcp", "2377"),
        ("tcp", "7946"),
        ("udp", "4789"),
        ("udp", "7946"),
    ]


def test_networks_are_spelled_one_way() -> None:
    assert network(" 203.0.113.9 ") == "203.0.113.9/32"
    assert network("203.0.113.9/24") == "203.0.113.0/24"
    assert network("2001:DB8::1/64") == "2001:db8::/64"
    with pytest.raises(ValueError, match="not appear"):
        network("everywhere")


def test_machines_of_the_same_networks_share_a_group() -> None:
    one = group_name("docker-machine", ["203.0.113.9", "2001:DB8::1/64"])
    assert one == group_name("docker-machine", ["2001:db8::/64", "203.0.113.9/32", "203.0.113.9"])
    assert one == "docker-machine-108298eb"  # as it is written in records and clouds: never another one


def test_a_group_for_every_set_of_networks() -> None:
    names = {
        group_name("docker-machine", networks)
        for networks in ([], ["0.0.0.0/0"], ["203.0.113.9"], ["203.0.113.8"], ["203.0.113.9", "203.0.113.8"])
    }
    assert len(names) == 5
    assert group_name("docker-machine", []) == "docker-machine"
    with pytest.raises(ValueError, match="not appear"):
        group_name("docker-machine", ["everywhere"])
