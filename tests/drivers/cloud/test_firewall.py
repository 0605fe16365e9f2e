"""Rules in words of no cloud's own: which cover which, what is missing, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from machine.drivers.cloud import firewall
from machine.drivers.cloud.config import CloudConfig, list_field, number_field, text_field
from machine.drivers.cloud.firewall import ALL, Rule
from machine.drivers.cloud.flags import DriverFlags
from machine.drivers.cloud.ports import EVERYBODY, PortRange, needed_port_ranges

SSH, DOCKER = PortRange("tcp", 22, 22), PortRange("tcp", 2376, 2376)
OFFICE = "203.0.113.0/24"


@dataclass(repr=False)
class Config(CloudConfig):
    """The least that `closed` looks at."""

    flags: ClassVar[DriverFlags] = DriverFlags("sky")

    account: str = text_field("Account")
    ssh_port: int = number_field("SSHPort", 22)
    open_ports: list[str] = list_field("OpenPorts")


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        (Rule(ALL, "0.0.0.0/0"), Rule(SSH, OFFICE), True),
        (Rule(SSH, "0.0.0.0/0"), Rule(SSH, OFFICE), True),
        (Rule(SSH, OFFICE), Rule(SSH, "0.0.0.0/0"), False),
        (Rule(SSH, "0.0.0.0/0"), Rule(SSH, "::/0"), False),
        (Rule(PortRange("tcp", 1, 100), OFFICE), Rule(SSH, OFFICE), True),
        (Rule(SSH, OFFICE), Rule(PortRange("tcp", 22, 23), OFFICE), False),
        (Rule(PortRange("udp", 22, 22), OFFICE), Rule(SSH, OFFICE), False),
        (Rule(SSH, "203.0.113.9/24"), Rule(SSH, OFFICE), True),  # as it was written, host and all
        (Rule(SSH, "group"), Rule(SSH, "group"), True),
        (Rule(SSH, "group", 4), Rule(SSH, "group", 6), False),
        (Rule(SSH, "group"), Rule(SSH, "group", 6), True),
        (Rule(SSH, "group", 4), Rule(SSH, "group"), False),
        (Rule(SSH, "group"), Rule(SSH, OFFICE), False),
        (Rule(SSH, "0.0.0.0/0"), Rule(SSH, "group"), False),
    ],
)
def test_what_covers_what(wide: Rule, narrow: Rule, covered: bool) -> None:
    assert wide.covers(narrow) is covered


def test_one_rule_for_each_opening_and_source() -> None:
    wanted = needed_port_ranges(22, 2376, (), ())
    assert firewall.rules(wanted, [], "g") == [Rule(one, net) for one in (SSH, DOCKER) for net in EVERYBODY]
    assert firewall.rules([SSH], [OFFICE], "g") == [Rule(SSH, OFFICE), Rule(SSH, "g")]
    assert firewall.rules([SSH], [OFFICE], "g", (4, 6))[1:] == [Rule(SSH, "g", 4), Rule(SSH, "g", 6)]
    assert firewall.rules([SSH], [OFFICE]) == [Rule(SSH, OFFICE)]


def test_what_is_missing() -> None:
    wanted = firewall.rules([SSH, DOCKER], [])
    assert firewall.missing(wanted, []) == wanted
    assert firewall.missing(wanted, wanted) == []
    assert firewall.missing(wanted, [Rule(ALL, "0.0.0.0/0")]) == [Rule(one, "::/0") for one in (SSH, DOCKER)]


def test_sources_of_a_port() -> None:
    present = [Rule(SSH, OFFICE), Rule(ALL, "group", 4), Rule(SSH, "::/0"), Rule(DOCKER, "10.0.0.0/8")]
    assert firewall.sources(present, SSH) == [OFFICE, "::/0", "group"]
    assert firewall.sources(present, SSH, 4) == [OFFICE, "group"]
    assert firewall.sources(present, SSH, 6) == ["::/0"]
    assert firewall.networks(firewall.sources(present, SSH)) == [OFFICE, "::/0"]
    assert firewall.reaches("203.0.113.7", ["group", OFFICE])
    assert not firewall.reaches("203.0.114.7", ["group", OFFICE, "::/0"])


def test_networks_that_are_not_among_those_allowed() -> None:
    halves = ["10.0.0.0/9", "10.128.0.0/9", "2001:db8::/33"]
    assert firewall.sources_outside([Rule(SSH, "10.0.0.0/8")], [SSH], halves) == []
    present = [Rule(PortRange("tcp", 20, 30), "10.0.0.0/7"), Rule(ALL, "2001:db8::/32"), Rule(SSH, "pl-1")]
    assert firewall.sources_outside(present, [SSH], halves) == ["10.0.0.0/7", "2001:db8::/32"]
    assert firewall.sources_outside(present, [DOCKER], halves) == ["2001:db8::/32"]


def test_every_closed_port_is_named_with_who_needs_it() -> None:
    config = Config(open_ports=["80", "8000-8100"])
    said = "no rule of the group g lets port"
    present = [Rule(SSH, "group"), Rule(PortRange("tcp", 80, 80), "group"), Rule(PortRange("udp", 7946, 7946), "group")]
    assert firewall.closed_port_warnings(present, config, (7946,), "the group g") == [
        f"{said} 22 in from here: ssh needs it",
        f"{said} 2376 in from here: Docker needs it",
        f"{said} 8000-8100/tcp in: --sky-open-port needs it",
        f"{said} 7946/tcp in: the swarm needs it",
    ]
    everything = [Rule(ALL, network) for network in EVERYBODY]
    assert firewall.closed_port_warnings(everything, config, (7946,), "the group g") == []
    assert (
        firewall.closed_port_warnings(everything[:1], Config(), (), "the group g", 6)[0]
        == f"{said} 22 in from here: ssh needs it"
    )


def test_why_a_login_may_be_kept_out() -> None:
    assert firewall.explain([], 22, "its group g") == "no rule of its group g lets port 22 in"
    present = [Rule(SSH, OFFICE), Rule(SSH, "group")]
    assert firewall.explain(present, 22, "its groups") == f"its groups let port 22 in from {OFFICE}, group only"
    assert firewall.explain([*present, Rule(SSH, "::/0")], 22, "its groups") == ""
