"""`machine set` of the driver amazonec2, against moto: the type while it is stopped, the root volume at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.drivers.amazonec2.driver import AmazonDriver
from machine.errors import InProgress, PreflightFailed, UsageError
from machine.model import State, Verb
from tests.drivers.amazonec2.ec2 import Ec2, refusal
from tests.drivers.cloud_stand_in import again, make, new, wait_for_state
from tests.drivers.fault_proxy import reply_with

TYPE, DISK = "amazonec2-instance-type", "amazonec2-root-size"


def instance(cloud: Ec2) -> tuple[str, int]:
    """The type, and the GB of the root volume, as EC2 has them."""
    ec2 = cloud.moto.client()
    found = next(
        i
        for r in ec2.describe_instances()["Reservations"]
        for i in r["Instances"]
        if i["State"]["Name"] != "terminated"
    )
    volume = next(
        m["Ebs"]["VolumeId"] for m in found["BlockDeviceMappings"] if m["DeviceName"] == found["RootDeviceName"]
    )
    return found["InstanceType"], ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"]


def made(cloud: Ec2, place: Path) -> AmazonDriver:
    """The driver of an instance that runs."""
    driver = make(new(cloud, place))
    assert isinstance(driver, AmazonDriver)
    wait_for_state(driver, State.RUNNING)
    return driver


def apply(driver: AmazonDriver, *names: str) -> set[str]:
    """Apply until there is nothing to wait for."""
    for _ in range(5):
        try:
            return set(driver.apply_changes(names))
        except InProgress:
            continue
    raise AssertionError("it does not come to an end")


def test_the_volume_at_once_and_the_type_while_it_is_stopped(cloud: Ec2, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path)
    before = instance(cloud)
    driver.change({TYPE: "t3.large", DISK: 24})
    assert instance(cloud) == before, "EC2 is only asked"
    assert (driver.dump()["InstanceType"], driver.dump()["RootSize"]) == ("t3.large", 24)
    driver.ctx.save(driver)
    later = again(driver)
    assert isinstance(later, AmazonDriver)
    assert later.current_values() == {TYPE: "t3.large", DISK: 24}
    assert apply(later, TYPE, DISK) == {DISK}
    assert instance(cloud) == (before[0], 24)
    later.power(Verb.STOP)
    wait_for_state(later, State.STOPPED)
    assert apply(later, TYPE, DISK) == {TYPE, DISK}
    assert instance(cloud) == ("t3.large", 24)
    cloud.proxy.clear()
    assert apply(later, TYPE, DISK) == {TYPE, DISK}
    assert [call for call in cloud.proxy.names() if cloud.changes(call)] == [], "it has that: nothing is asked for"
    later.power(Verb.START)
    wait_for_state(later, State.RUNNING)


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({DISK: 8}, PreflightFailed, "--amazonec2-root-size 16, or more"),
        ({DISK: 0}, UsageError, "1 to 65536"),
        ({TYPE: "t3.nonsense"}, PreflightFailed, "--amazonec2-instance-type"),
        ({TYPE: "t4g.small"}, PreflightFailed, "choose an --amazonec2-instance-type for x86_64"),
        ({TYPE: ""}, UsageError, "give one"),
    ],
)
def test_what_cannot_be_is_refused(
    cloud: Ec2, tmp_path: Path, values: dict[str, Any], error: type[PreflightFailed], said: str
) -> None:
    driver = made(cloud, tmp_path)
    before = driver.dump()
    cloud.proxy.clear()
    with pytest.raises(error) as caught:
        driver.change({DISK: 17, **values})
    assert said in caught.value.resolution
    assert driver.dump() == before
    assert [call for call in cloud.proxy.names() if cloud.changes(call)] == []


def test_a_refusal_of_ec2_names_the_flag(cloud: Ec2, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path)
    driver.change({DISK: 24})
    cloud.proxy.on("ModifyVolume", reply_with(refusal("VolumeLimitExceeded", "too much")))
    with pytest.raises(Exception, match="EC2 refused modify volume"):
        driver.apply_changes([DISK])
