"""Addresses of the host-only network."""

from __future__ import annotations

import pytest

from machine.drivers.virtualbox import network
from machine.errors import DriverError, UsageError


def test_the_usual_network() -> None:
    plan = network.parse("192.168.59.1/24")
    assert (str(plan.host), plan.mask, plan.bits) == ("192.168.59.1", "255.255.255.0", 24)
    assert (str(plan.dhcp_server), str(plan.lower), str(plan.upper)) == (
        "192.168.59.6",
        "192.168.59.100",
        "192.168.59.254",
    )
    assert [str(plan.machines[0]), str(plan.machines[-1])] == ["192.168.59.10", "192.168.59.99"]


@pytest.mark.parametrize(
    "cidr", ["10.0.0.1/8", "172.16.5.1/16", "192.168.57.33/28", "192.168.57.17/27", "10.1.2.13/24"]
)
def test_no_address_has_two_uses(cidr: str) -> None:
    plan = network.parse(cidr)
    assert plan.machines
    assert plan.host not in plan.machines
    assert plan.dhcp_server not in plan.machines
    assert plan.dhcp_server != plan.host or cidr == "impossible"
    assert all(address < plan.lower <= plan.upper < plan.network.broadcast_address for address in plan.machines)
    assert all(address in plan.network for address in (*plan.machines, plan.lower, plan.upper, plan.dhcp_server))


@pytest.mark.parametrize(
    "cidr", ["", "x", "192.168.59.1", "192.168.59.0/24", "192.168.59.255/24", "fd00::1/64", "1.2.3.4/30"]
)
def test_nonsense_names_the_flag(cidr: str) -> None:
    with pytest.raises(UsageError, match="--virtualbox-hostonly-cidr"):
        network.parse(cidr)


def test_every_address_is_given_once() -> None:
    plan, taken = network.parse("192.168.59.1/24"), set[str]()
    for _ in plan.machines:
        taken.add(network.choose(plan, taken, "/store"))
    assert len(taken) == 90
    with pytest.raises(DriverError, match="taken"):
        network.choose(plan, taken, "/store")
    assert network.choose(plan, (), "/a") != network.choose(plan, (), "/b")


def test_what_virtualbox_allows() -> None:
    usual, old = network.parse("192.168.59.1/24"), network.parse("192.168.99.1/24")
    assert network.allowed(usual, None)
    assert not network.allowed(old, None)
    assert network.allowed(old, "# comment\n* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n")
    assert not network.allowed(usual, "* 10.0.0.0/8\n")
    assert not network.allowed(usual, "")


def test_cards() -> None:
    one, two = network.mac("id", 1), network.mac("id", 2)
    assert one != two
    assert one.startswith("08:00:27:")
    assert len(one) == 17
