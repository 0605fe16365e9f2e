"""The names of the public parameters that hold the newest image's id: asked for as the publishers have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.drivers.amazonec2 import images
from tests.drivers.amazonec2.ec2 import Ec2
from tests.drivers.cloud_stand_in import new
from tests.drivers.fault_proxy import Answer, Call, FaultProxy

CANONICAL = "/aws/service/canonical/ubuntu/server"  # https://documentation.ubuntu.com/aws/, "find Ubuntu images"
DEBIAN = "/aws/service/debian/release"  # https://wiki.debian.org/Cloud/AmazonEC2Image
PUBLISHED = {  # (distribution, instance type) -> what its publisher calls the parameter
    ("ubuntu-24.04", "t3.small"): f"{CANONICAL}/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
    ("ubuntu-24.04", "t4g.small"): f"{CANONICAL}/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
    ("ubuntu-22.04", "t3.small"): f"{CANONICAL}/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
    ("ubuntu-22.04", "t4g.small"): f"{CANONICAL}/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
    ("debian-13", "t3.small"): f"{DEBIAN}/13/latest/amd64",
    ("debian-13", "t4g.small"): f"{DEBIAN}/13/latest/arm64",
    ("debian-12", "t3.small"): f"{DEBIAN}/12/latest/amd64",
    ("debian-12", "t4g.small"): f"{DEBIAN}/12/latest/arm64",
}
ARM, INTEL = "ami-00000003", "ami-00000001"  # not the newest one, which is taken where no parameter can be read


def published(proxy: FaultProxy, call: Call) -> Answer:
    """What SSM says of a parameter: those of PUBLISHED are there, and no others."""
    name = json.loads(call.body)["Name"]
    if name not in PUBLISHED.values():
        return _json(400, {"__type": "ParameterNotFound", "message": ""})
    value = ARM if "arm64" in name else INTEL
    return _json(200, {"Parameter": {"Name": name, "Type": "String", "Value": value, "Version": 1}})


def _json(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def test_every_distribution_is_published_for_both_processors() -> None:
    assert {distribution for distribution, _ in PUBLISHED} == set(images.DISTRIBUTIONS)


@pytest.mark.parametrize(("distribution", "size"), PUBLISHED)
def test_the_parameter_is_asked_for_by_its_name(cloud: Ec2, tmp_path: Path, distribution: str, size: str) -> None:
    cloud.proxy.on("GetParameter", published)
    flags = {"amazonec2-distribution": distribution, "amazonec2-instance-type": size}
    driver = new(cloud, tmp_path, **flags)
    driver.check()
    (asked,) = [json.loads(call.body) for call in cloud.proxy.calls if call.name == "GetParameter"]
    assert asked == {"Name": PUBLISHED[distribution, size]}
    assert driver.dump()["AMI"] == (ARM if size.startswith("t4g") else INTEL)


def test_an_unknown_parameter_is_made_up_for_by_the_publishers_images(cloud: Ec2, tmp_path: Path) -> None:
    cloud.proxy.on("GetParameter", lambda proxy, call: _json(400, {"__type": "ParameterNotFound", "message": ""}))
    driver = new(cloud, tmp_path)
    driver.check()
    assert driver.dump()["AMI"] == "ami-00000002"
