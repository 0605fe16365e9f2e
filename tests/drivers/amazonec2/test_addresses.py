"""Which address a machine is reached at: public, private or of IPv6, and subnets that can give it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.drivers.amazonec2.driver import AmazonDriver
from machine.drivers.base import Diagnosable
from machine.model import State
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.cloud_stand_in import again, make, new, refused, unmake

BLOCK = "2001:db8:1:1::/64"
SIX_ONLY = {"amazonec2-ipv6-address-count": 1, "amazonec2-ipv6-address-only": True}


def subnet(cloud: Ec2, **more: Any) -> str:
    """One more subnet of the default VPC, with what more it has."""
    ec2 = cloud.moto.client()
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    return str(ec2.create_subnet(VpcId=vpc, AvailabilityZone="us-east-1b", **more)["Subnet"]["SubnetId"])


def dual(cloud: Ec2) -> str:
    """A subnet with addresses of both families."""
    return subnet(cloud, CidrBlock="172.31.200.0/24", Ipv6CidrBlock=BLOCK)


def instance(cloud: Ec2) -> dict[str, Any]:
    """The one instance there is."""
    ((found,),) = [r["Instances"] for r in cloud.moto.client().describe_instances()["Reservations"]]
    return dict(found)


def test_a_machine_that_is_reached_over_ipv6_only(cloud: Ec2, tmp_path: Path) -> None:
    place = dual(cloud)
    before = cloud.listing()
    driver = make(new(cloud, tmp_path, **{**SIX_ONLY, "amazonec2-subnet-id": place}))
    (interface,) = instance(cloud)["NetworkInterfaces"]
    (six,) = [address["Ipv6Address"] for address in interface["Ipv6Addresses"]]
    found = again(driver).endpoint()
    assert found is not None
    assert six.startswith("2001:db8:1:1:")
    assert (found.address, found.peer_address) == (six, interface["PrivateIpAddress"])
    assert isinstance(driver, Diagnosable)
    assert driver.explain() == ""
    group = cloud.moto.client().describe_security_groups(GroupIds=driver.dump()["SecurityGroupIds"])["SecurityGroups"][
        0
    ]
    assert all({"CidrIpv6": "::/0"} in rule["Ipv6Ranges"] for rule in group["IpPermissions"])
    unmake(again(driver))
    assert driver.state() is State.MISSING
    assert cloud.listing() == before


def test_ipv6_beside_a_public_address(cloud: Ec2, tmp_path: Path) -> None:
    """As many as are asked for; the machine is reached over IPv4 all the same."""
    flags = {"amazonec2-ipv6-address-count": 2, "amazonec2-subnet-id": dual(cloud)}
    driver = make(new(cloud, tmp_path, **flags))
    (interface,) = instance(cloud)["NetworkInterfaces"]
    assert len(interface["Ipv6Addresses"]) == 2
    found = driver.endpoint()
    assert found is not None
    assert found.address == instance(cloud)["PublicIpAddress"]
    unmake(driver)


def test_an_instance_that_has_no_address_of_the_wanted_kind_yet(cloud: Ec2, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    assert isinstance(driver, AmazonDriver)
    driver.config.ipv6_only = True
    assert driver.endpoint() is None
    assert isinstance(driver, Diagnosable)
    assert "no address of the wanted kind" in driver.explain()
    unmake(driver)


def test_subnets_without_ipv6_are_refused_or_passed_over(cloud: Ec2, tmp_path: Path) -> None:
    """None of the default ones has a block."""
    default = cloud.moto.client().describe_subnets()["Subnets"][0]["SubnetId"]
    for given in ({}, {"subnet_id": default}):
        error = refused(cloud, tmp_path, ipv6_address_count=1, **given)
        assert default in error.brief
        assert "--amazonec2-ipv6-address-count" in error.resolution
    place = dual(cloud)
    driver = new(cloud, tmp_path, **{"amazonec2-ipv6-address-count": 1})
    driver.check()
    assert driver.dump()["Subnets"] == [place]
    plain = new(cloud, tmp_path)
    plain.check()
    assert len(plain.dump()["Subnets"]) > 1


def test_a_subnet_that_has_ipv6_only(cloud: Ec2, tmp_path: Path) -> None:
    place = subnet(cloud, Ipv6Native=True, Ipv6CidrBlock=BLOCK)
    for given in ({}, {"ipv6_address_count": 1}):
        assert "--amazonec2-ipv6-address-only" in refused(cloud, tmp_path, subnet_id=place, **given).resolution
    assert (
        "--amazonec2-private-ip-address"
        in refused(cloud, tmp_path, subnet_id=place, private_ip_address="172.31.0.9", ipv6_address_count=1).resolution
    )
    driver = new(cloud, tmp_path, **{**SIX_ONLY, "amazonec2-subnet-id": place})
    driver.check()
    assert driver.dump()["Subnets"] == [place]


@pytest.mark.parametrize("state", ["disassociating", "disassociated", "failed"])
def test_a_block_that_is_on_its_way_out_does_not_count(cloud: Ec2, tmp_path: Path, state: str) -> None:
    """Moto knows such a block no more; EC2 lists it for a while."""
    place = dual(cloud)
    cloud.proxy.on(
        "DescribeSubnets",
        lambda proxy, call: _with(
            proxy.forward(call), b"<state>associated</state>", f"<state>{state}</state>".encode()
        ),
    )
    assert "no IPv6 block" in refused(cloud, tmp_path, subnet_id=place, ipv6_address_count=1).brief


def _with(answer: Any, old: bytes, new: bytes) -> Any:
    assert old in answer.body
    return type(answer)(answer.status, answer.body.replace(old, new), answer.headers)
