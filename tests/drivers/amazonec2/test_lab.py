"""`machine create -d amazonec2` to its end: the API is moto's, the instance a real host that boots from its user data.

The instance is given the address of a lab host, in a VPC with the lab's network. When RunInstances is done, the host
takes host key and login key from what the API was given, as cloud-init would.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.drivers import fake_cloud_init, machine_lifecycle
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.fault_proxy import Answer, Call, FaultProxy, answer, pass_through
from tests.drivers.machine_lifecycle import run
from tests.labs.nspawn import Host, Lab
from tests.program import Program
from tests.sshd import keygen

pytestmark = pytest.mark.lab


SIX = "fd0e:c2::"  # of a /64


def subnet(cloud: Ec2, host: Host, **more: str) -> str:
    """A subnet that holds the host's address."""
    ec2 = cloud.moto.client()
    network = host.address.rsplit(".", 1)[0] + ".0/24"
    vpc = ec2.create_vpc(CidrBlock=network)["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock=network, AvailabilityZone="us-east-1b", **more)
    return str(made["Subnet"]["SubnetId"])


def boots(cloud: Ec2, host: Host) -> None:
    """From now on a RunInstances boots the host."""

    def act(proxy: FaultProxy, call: Call) -> Answer | None:
        found = pass_through(proxy, call)
        ec2 = cloud.moto.client()
        running = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
        instance = next(i for i in running if i["State"]["Name"] != "terminated")
        told = ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
        user_data = base64.b64decode(told.get("UserData", {}).get("Value", "")).decode()
        pair = ec2.describe_key_pairs(KeyNames=[instance["KeyName"]], IncludePublicKey=True)["KeyPairs"][0]
        for address in [
            a["Ipv6Address"] for nic in instance["NetworkInterfaces"] for a in nic.get("Ipv6Addresses", [])
        ]:
            host.run(f"ip address add {address}/64 dev eth0 nodad")
        fake_cloud_init.boot(host, user_data, "ubuntu", pair["PublicKey"])
        return found

    cloud.proxy.on("RunInstances", act, times=1)


def typed(cloud: Ec2, host: Host, *more: str) -> list[str]:
    """`create` as a user with a private network would type it."""
    return [
        *("create", "-d", "amazonec2"),
        *(f"--{option}={value}" for option, value in cloud.options().items()),
        f"--amazonec2-subnet-id={subnet(cloud, host)}",
        "--amazonec2-private-address-only",
        f"--amazonec2-private-ip-address={host.address}",
        *more,
        "dev",
    ]


def test_from_nothing_to_a_container_and_back(cloud: Ec2, lab: Lab, tmp_path: Path) -> None:
    more = ("--amazonec2-open-port=80",)
    machine_lifecycle.create_use_remove(
        cloud,
        lab.host("ec2", engine="running"),
        tmp_path,
        typed=typed,
        boots=boots,
        user_data="amazonec2-userdata",
        user="ubuntu",
        more=more,
    )


def test_a_key_of_the_users_own(cloud: Ec2, lab: Lab, tmp_path: Path) -> None:
    """It is sent to EC2, logs in, and is refused until the first boot has put it there."""
    host = lab.host("ec2own", engine="running")
    key = keygen(tmp_path / "own" / "id")
    program = Program(tmp_path / "p")
    line = typed(cloud, host, f"--amazonec2-ssh-keypath={key}")
    before = cloud.listing()
    boots(cloud, host)
    run(cloud, program, *line).fine()
    pair = cloud.moto.client().describe_key_pairs(IncludePublicKey=True)["KeyPairs"][0]
    assert pair["PublicKey"].split()[:2] == Path(f"{key}.pub").read_text().split()[:2]
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
    assert key.exists()


def test_a_machine_that_is_reached_over_ipv6_only(cloud: Ec2, lab: Lab, tmp_path: Path) -> None:
    """create, a container through `env`, rm: ssh, certificate and engine are all at the IPv6 address."""
    host = lab.host("ec2six", engine="running")
    host.import_busybox()
    subprocess.run(["ip", "address", "add", f"{SIX}1/64", "dev", lab.bridge, "nodad"], check=True)
    place = subnet(cloud, host, Ipv6CidrBlock=f"{SIX}/64")
    program = Program(tmp_path / "p")
    flags = (f"--amazonec2-subnet-id={place}", "--amazonec2-ipv6-address-only", "--amazonec2-ipv6-address-count=1")
    before = cloud.listing()
    boots(cloud, host)
    words = ("create", "-d", "amazonec2", *(f"--{option}={value}" for option, value in cloud.options().items()))
    run(cloud, program, *words, *flags, "dev").fine()
    address = run(cloud, program, "ip", "dev").fine().out.strip()
    assert address.startswith(SIX)
    assert program("url", "dev").fine().out.strip() == f"tcp://[{address}]:2376"
    assert program("ssh", "dev", "whoami").fine().out.strip() == "ubuntu"
    said = program.shell('eval "$(machine env dev)"; docker run --rm busybox:lab echo from the cloud').fine()
    assert said.out.strip() == "from the cloud"
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before


def test_resume_after_a_kill_makes_no_second_instance(cloud: Ec2, lab: Lab, tmp_path: Path) -> None:
    """The program dies when EC2 has made the instance and it has not heard of it."""
    host = lab.host("ec2killed", engine="running")
    program = Program(tmp_path / "p")
    line = typed(cloud, host)
    before = cloud.listing()
    boots(cloud, host)
    cloud.proxy.on("DescribeInstances", answer(500), times=10**6)
    process = subprocess.Popen(
        [sys.executable, "-m", "machine", *line],
        env={**program.environ(), **cloud.credentials()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while "DescribeInstances" not in cloud.proxy.names()[-1:] or cloud.machines() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    cloud.proxy.clear()
    run(cloud, program, "create", "--resume", "dev").fine()
    assert cloud.machines() == 1
    program("config", "dev").fine()
    run(cloud, program, "rm", "-y", "dev").fine()
    assert cloud.listing() == before
