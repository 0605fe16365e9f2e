"""Who may reach a machine: the group of --amazonec2-allow-from, groups of the user's own, ports that nobody lets in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.amazonec2 import firewall
from machine.drivers.amazonec2.driver import AmazonDriver
from machine.drivers.base import Driver
from machine.drivers.cloud import errors
from machine.drivers.cloud import firewall as kit
from machine.drivers.cloud.ports import PortRange, group_name
from machine.errors import PreflightFailed
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.cloud_stand_in import make, new, unmake

OFFICE = "203.0.113.0/24"
ONLY_OFFICE: dict[str, Any] = {"amazonec2-allow-from": [OFFICE]}
MINE = {"amazonec2-security-group": ["mine"]}


class Fleet:
    """Machines of one store: each knows of those that were made before it, and `said` is what they logged."""

    def __init__(self, cloud: Ec2, place: Path) -> None:
        self.cloud, self.place = cloud, place
        self.machines: dict[str, Driver] = {}
        self.said: list[str] = []

    def new(self, name: str, *, cluster_ports: tuple[int, ...] = (), **flags: Any) -> Driver:
        """One that is not made yet."""
        driver = new(self.cloud, self.place, name, **flags)
        driver.ctx = dataclasses.replace(
            driver.ctx,
            log=self.said.append,
            siblings=lambda: [d.dump() for n, d in self.machines.items() if n != name],
            cluster_ports=cluster_ports,
        )
        return driver

    def make(self, name: str, **flags: Any) -> Driver:
        """One that runs."""
        self.machines[name] = self.new(name, **flags)
        return make(self.machines[name])

    def unmake(self, name: str) -> None:
        unmake(self.machines[name])
        del self.machines[name]

    def refuse(self, name: str, **flags: Any) -> PreflightFailed:
        """The refusal of a check; nothing was made."""
        before = self.cloud.listing()
        with pytest.raises(PreflightFailed) as caught:
            self.new(name, **flags).check()
        assert caught.value.exit_code == 3
        assert self.cloud.listing() == before
        return caught.value

    def group(self, name: str) -> dict[str, Any]:
        """The one group that a machine's instance has, as EC2 describes it."""
        ec2 = self.cloud.moto.client()
        instance = self.machines[name].dump()["InstanceId"]
        (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
        (group,) = [g["GroupId"] for nic in found["NetworkInterfaces"] for g in nic["Groups"]]
        return dict(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0])

    def reached_from(self, name: str, port: int = 22) -> list[str]:
        """Networks, by the rules of its group."""
        present = firewall.rules([self.group(name)])
        return kit.networks(kit.sources(present, PortRange("tcp", port, port)))


@pytest.fixture
def fleet(cloud: Ec2, tmp_path: Path) -> Fleet:
    """In an account with nothing in it."""
    return Fleet(cloud, tmp_path)


def grant(cloud: Ec2, name: str, *rules: dict[str, Any]) -> str:
    """A group that somebody made in the default VPC, with these rules; its id."""
    ec2 = cloud.moto.client()
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName=name, Description="theirs", VpcId=vpc)["GroupId"]
    if rules:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(rules))
    return str(group)


def rule(port: int, *networks: str, last: int = 0, protocol: str = "tcp") -> dict[str, Any]:
    """An IpPermission for IPv4 networks."""
    ranges = [{"CidrIp": network} for network in networks]
    return {"IpProtocol": protocol, "FromPort": port, "ToPort": last or port, "IpRanges": ranges}


@pytest.mark.parametrize("order", [("plain", "office"), ("office", "plain")])
def test_only_those_networks_reach_it_whoever_came_first(cloud: Ec2, fleet: Fleet, order: tuple[str, str]) -> None:
    before = cloud.listing()
    for name in order:
        fleet.make(name, **(ONLY_OFFICE if name == "office" else {}))
    for port in (22, 2376):
        assert fleet.reached_from("plain", port) == ["0.0.0.0/0", "::/0"]
        assert fleet.reached_from("office", port) == [OFFICE]
    assert fleet.group("plain")["GroupName"] == "docker-machine"
    assert fleet.group("office")["GroupName"] == group_name("docker-machine", [OFFICE]) != "docker-machine"
    assert fleet.said == []
    for name in order:
        fleet.unmake(name)
    assert cloud.listing() == before


def test_machines_of_the_same_networks_share_a_group_and_the_last_one_removes_it(cloud: Ec2, fleet: Fleet) -> None:
    before = cloud.listing()
    fleet.make("one", **{"amazonec2-allow-from": [OFFICE, "198.51.100.7"]})
    fleet.make("two", **{"amazonec2-allow-from": ["198.51.100.7/32", "203.0.113.9/24"]})
    fleet.make("three", **ONLY_OFFICE)
    assert fleet.group("one")["GroupId"] == fleet.group("two")["GroupId"] != fleet.group("three")["GroupId"]
    tags = {tag["Key"]: tag["Value"] for tag in fleet.group("one")["Tags"]}
    assert tags == {"Name": fleet.group("one")["GroupName"], "made-by": "machine"}
    fleet.unmake("one")
    assert fleet.reached_from("two") == ["198.51.100.7/32", OFFICE]
    fleet.unmake("three")
    fleet.unmake("two")
    assert cloud.listing() == before


def test_a_group_of_the_users_own_that_is_wider_is_refused(cloud: Ec2, fleet: Fleet) -> None:
    group = grant(cloud, "mine", rule(1, "0.0.0.0/0", last=1024))
    for flags in (MINE, {"amazonec2-security-group": [group]}, {**MINE, "amazonec2-security-group-readonly": True}):
        error = fleet.refuse("office", **flags, **ONLY_OFFICE)
        assert isinstance(error, errors.BadFirewall)
        assert "mine lets in 0.0.0.0/0" in error.brief
        assert "--amazonec2-security-group" in error.resolution


def test_a_group_of_the_users_own_may_be_wider_where_it_does_not_matter(cloud: Ec2, fleet: Fleet) -> None:
    """Other ports are the user's business, and so is a network inside those that are allowed."""
    grant(cloud, "mine", rule(8443, "0.0.0.0/0"), rule(22, "203.0.113.128/25"), rule(22, "0.0.0.0/0", protocol="udp"))
    fleet.make("office", **MINE, **ONLY_OFFICE)
    assert fleet.reached_from("office") == [OFFICE, "203.0.113.128/25"]
    assert "0.0.0.0/0, beyond" in fleet.refuse("more", **MINE, **ONLY_OFFICE, **{"amazonec2-open-port": ["8443"]}).brief
    fleet.unmake("office")


def test_nobody_widens_the_group_of_a_machine_that_was_promised_a_narrow_one(cloud: Ec2, fleet: Fleet) -> None:
    before = cloud.listing()
    fleet.make("office", **MINE, **ONLY_OFFICE)
    error = fleet.refuse("plain", **MINE)
    assert isinstance(error, errors.BadFirewall)
    assert "mine has a machine that only 203.0.113.0/24 may reach" in error.brief
    assert "--amazonec2-allow-from" in error.resolution
    by_id = {"amazonec2-security-group": [fleet.group("office")["GroupId"]]}
    assert isinstance(fleet.refuse("plain", **by_id), errors.BadFirewall)
    fleet.make("same", **by_id, **ONLY_OFFICE)
    fleet.make("plain", **{"amazonec2-security-group": ["another"]})
    assert fleet.reached_from("office") == [OFFICE]
    for name in ("office", "plain", "same"):
        fleet.unmake(name)
    assert cloud.listing() == before


def test_a_record_from_before_the_groups_had_names_of_their_own(cloud: Ec2, fleet: Fleet) -> None:
    """It has the common group: it goes on with that, says what else gets in, and goes with it."""
    before = cloud.listing()
    fleet.make("plain")
    old = fleet.machines["old"] = fleet.new("old", **ONLY_OFFICE)
    old.check()
    assert isinstance(old, AmazonDriver)
    old.config.security_group_names = ["docker-machine"]
    old.create()
    assert fleet.group("old")["GroupName"] == "docker-machine"
    assert fleet.said == [
        "the security group docker-machine lets in 0.0.0.0/0, ::/0 too, beyond --amazonec2-allow-from"
    ]
    fleet.unmake("plain")
    fleet.unmake("old")
    assert cloud.listing() == before


def test_ports_that_a_readonly_group_does_not_let_in_are_named(cloud: Ec2, fleet: Fleet) -> None:
    group = grant(cloud, "mine", rule(22, OFFICE), rule(7946, OFFICE), rule(8000, OFFICE, last=8050))
    more = grant(cloud, "more")
    cloud.moto.client().authorize_security_group_ingress(
        GroupId=more,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 2377, "ToPort": 2377, "UserIdGroupPairs": [{"GroupId": group}]}
        ],
    )
    flags = {
        "amazonec2-security-group": ["mine", more],
        "amazonec2-security-group-readonly": True,
        "amazonec2-open-port": ["8000-8100"],
    }
    fleet.new("one", cluster_ports=(2377, 7946, 4789), **flags).check()
    silent = f"no rule of the security groups mine, {more} lets port"
    assert fleet.said == [
        f"{silent} 2376 in from here: Docker needs it",
        f"{silent} 8000-8100/tcp in: --amazonec2-open-port needs it",
        f"{silent} 7946/udp in: the swarm needs it",
        f"{silent} 4789/udp in: the swarm needs it",
    ]


def test_nothing_is_said_of_groups_that_let_everything_in_or_are_opened_by_us(cloud: Ec2, fleet: Fleet) -> None:
    grant(cloud, "mine", {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    grant(cloud, "closed")
    fleet.new("one", cluster_ports=(3376,), **MINE, **{"amazonec2-security-group-readonly": True}).check()
    fleet.make("two", cluster_ports=(3376,), **{"amazonec2-security-group": ["closed"]})
    assert fleet.reached_from("two", 3376) == ["0.0.0.0/0", "::/0"]
    assert fleet.said == []
    fleet.unmake("two")


def test_what_lies_beyond() -> None:
    ssh = PortRange("tcp", 22, 22)
    halves = ["10.0.0.0/9", "10.128.0.0/9", "2001:db8::/33"]

    def beyond(*permissions: dict[str, Any]) -> list[str]:
        return kit.sources_outside(firewall.rules([{"IpPermissions": list(permissions)}]), [ssh], halves)

    assert beyond(rule(22, "10.0.0.0/8")) == []
    assert beyond(rule(22, "10.0.0.0/7", "10.1.2.3/32")) == ["10.0.0.0/7"]
    six = {"IpProtocol": "tcp", "FromPort": 20, "ToPort": 30, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]}
    assert beyond(six) == ["2001:db8::/32"]
    lists = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": "pl-1"}]}
    assert beyond(lists) == []
    assert kit.sources(firewall.rules([{"IpPermissions": [lists]}]), ssh) == ["pl-1"]
