"""Every way in which EC2 says no is a class with advice; those moto knows are moto's own answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.amazonec2.errors import CODES, DryRun, classify, translate
from machine.drivers.base import Diagnosable
from machine.drivers.cloud import errors
from machine.errors import DriverError, NotSupported, PreflightFailed, as_preflight_error
from machine.model import State, Verb
from tests.drivers.amazonec2.ec2 import Ec2, refusal
from tests.drivers.amazonec2.moto import KEYS, LASTING, REGION
from tests.drivers.cloud_stand_in import make, new, unmake
from tests.drivers.fault_proxy import Answer, answer
from tests.sshd import keygen


def check(cloud: Ec2, place: Path, **given: Any) -> PreflightFailed:
    """The refusal of a check with these flags; nothing was made."""
    before = cloud.listing()
    with pytest.raises(PreflightFailed) as caught:
        new(cloud, place, **{f"amazonec2-{name.replace('_', '-')}": value for name, value in given.items()}).check()
    assert caught.value.exit_code == 3
    assert caught.value.resolution
    assert cloud.listing() == before
    return caught.value


@pytest.mark.parametrize("code", [code for codes in CODES.values() for code in codes.split()])
def test_every_code_has_its_class(code: str) -> None:
    full = code + "NotFound" if code.endswith(".") else code
    cls = next(cls for cls, codes in CODES.items() if code in codes.split())
    error = translate(full, "the cloud's own words", "run instances")
    assert type(error) is cls
    assert "the cloud's own words" in error.details
    assert error.resolution or cls in (DryRun, errors.MachineGone)
    early = as_preflight_error(error)
    assert isinstance(early, cls)
    assert (early.exit_code, type(early).__name__) == (3, cls.__name__)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("InstanceCreditSpecification.NotSupported", errors.BadSize),
        ("InstanceLimitExceeded", errors.QuotaExceeded),
        ("InvalidSubnetID.NotFound", errors.BadNetwork),
        ("InvalidGroup.NotFound", errors.BadFirewall),
        ("InvalidGroup.Duplicate", errors.NameTaken),
        ("InvalidInstanceID.NotFound", errors.MachineGone),
    ],
)
def test_what_is_wrong_by_code(code: str, cls: errors.ErrorClass) -> None:
    assert classify(code) is cls


def test_a_code_that_nobody_knows() -> None:
    error = translate("BrandNewThing", "x" * 5000, "run instances")
    assert type(error) is errors.CloudError
    assert error.brief == "EC2 refused run instances: brand new thing"
    assert len(error.details) < 600


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"instance_type": "t9.huge"}, "--amazonec2-instance-type"),
        ({"ami": "ami-9999"}, "--amazonec2-ami"),
        ({"ami": "ami-00000003"}, "--amazonec2-instance-type"),  # for arm64
        ({"distribution": "debian-12"}, "--amazonec2-ami"),
        ({"root_size": 4}, "--amazonec2-root-size"),
        ({"zone": "z"}, "--amazonec2-zone"),
        ({"vpc_id": "vpc-0"}, "--amazonec2-vpc-id"),
        ({"subnet_id": "subnet-0"}, "--amazonec2-subnet-id"),
        ({"private_ip_address": "10.9.9.9"}, "--amazonec2-private-ip-address"),
        ({"security_group": ["sg-0"]}, "--amazonec2-security-group"),
        ({"security_group": ["nosuch"], "security_group_readonly": True}, "--amazonec2-security-group"),
        ({"userdata": "/nonexistent"}, "--amazonec2-userdata"),
        ({"ssh_keypath": "/nonexistent"}, "--amazonec2-ssh-keypath"),
        ({"endpoint": "http://127.0.0.1:1", "retries": -1}, "--amazonec2-endpoint"),
    ],
)
def test_the_checks_name_the_flag(cloud: Ec2, tmp_path: Path, flags: dict[str, Any], named: str) -> None:
    if "root_size" in flags:  # moto's images are of 15 GB
        flags = {**flags, "ami": "ami-00000002"}
    assert named in check(cloud, tmp_path, **flags).resolution


def test_a_key_pair_that_is_not_there(cloud: Ec2, tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    error = check(cloud, tmp_path, keypair_name="nosuch", ssh_keypath=str(key))
    assert "--amazonec2-keypair-name" in error.resolution
    Path(f"{key}.pub").unlink()
    assert "ssh-keygen -y" in check(cloud, tmp_path, ssh_keypath=str(key)).resolution


def test_a_key_pair_that_is_there_stays(cloud: Ec2, tmp_path: Path) -> None:
    key = keygen(tmp_path / "id")
    cloud.moto.client().import_key_pair(KeyName="mine", PublicKeyMaterial=Path(f"{key}.pub").read_bytes())
    before = cloud.listing()
    driver = make(new(cloud, tmp_path, **{"amazonec2-keypair-name": "mine", "amazonec2-ssh-keypath": str(key)}))
    assert cloud.listing()["keys"] == ["mine"]
    unmake(driver)
    assert cloud.listing() == before


def test_user_data_that_cannot_be_used(cloud: Ec2, tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    for content in (b"nothing that cloud-init knows", b"\xff\xfe\x00", b"#!/bin/sh\n" + b"#" * 20000):
        path.write_bytes(content)
        assert "--amazonec2-userdata" in check(cloud, tmp_path, userdata=str(path)).resolution


def test_no_credentials_at_all(cloud: Ec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud, "credentials", dict)
    error = check(cloud, tmp_path)
    assert isinstance(error, errors.BadCredentials)
    assert isinstance(check(cloud, tmp_path, profile="nosuch"), errors.BadCredentials)
    assert cloud.proxy.names() == []


@pytest.mark.parametrize(
    ("spoilt", "cls"),
    [
        (refusal("AuthFailure", status=401), errors.BadCredentials),
        (refusal("RequestExpired"), errors.BadCredentials),
        (refusal("UnauthorizedOperation", status=403), errors.NotAllowed),
        (refusal("OptInRequired", status=401), errors.NotAllowed),
    ],
)
def test_credentials_that_are_not_accepted(cloud: Ec2, tmp_path: Path, spoilt: Answer, cls: errors.ErrorClass) -> None:
    cloud.proxy.on(None, lambda proxy, call: spoilt)
    assert isinstance(check(cloud, tmp_path), cls)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("VcpuLimitExceeded", errors.QuotaExceeded),
        ("MaxSpotInstanceCountExceeded", errors.QuotaExceeded),
        ("InvalidAMIID.Unavailable", errors.BadImage),
        ("InvalidParameterCombination", errors.BadRequest),
        ("RequestLimitExceeded", errors.RateLimited),
        ("InvalidBlockDeviceMapping", errors.BadVolume),
    ],
)
def test_a_refusal_at_the_last_moment(cloud: Ec2, tmp_path: Path, code: str, cls: errors.ErrorClass) -> None:
    before = cloud.listing()
    driver = new(cloud, tmp_path, **{"amazonec2-retries": -1})
    driver.check()
    cloud.proxy.on("RunInstances", lambda proxy, call: refusal(code, f"{code} it is"))
    with pytest.raises(cls) as caught:
        driver.create()
    assert code in caught.value.details
    cloud.proxy.clear()
    unmake(driver)
    assert cloud.listing() == before


def test_the_next_zone_when_one_is_full(cloud: Ec2, tmp_path: Path) -> None:
    said: list[str] = []
    driver = new(cloud, tmp_path)
    driver.ctx = replace(driver.ctx, log=said.append)
    cloud.proxy.on("RunInstances", lambda proxy, call: refusal("InsufficientInstanceCapacity", status=500), times=2)
    make(driver)
    tried = [call.body.count(b"ClientToken") for call in cloud.proxy.calls if call.name == "RunInstances"]
    assert len(tried) == 3
    assert len([line for line in said if "no room in" in line]) == 2
    assert cloud.machines() == 1
    unmake(driver)


def test_no_room_anywhere_is_an_error_and_a_later_try_works(cloud: Ec2, tmp_path: Path) -> None:
    driver = new(cloud, tmp_path)
    driver.check()
    cloud.proxy.on("RunInstances", lambda proxy, call: refusal("InsufficientInstanceCapacity", status=500))
    with pytest.raises(errors.NoCapacity) as caught:
        driver.create()
    assert "--amazonec2-zone" in caught.value.resolution
    cloud.proxy.clear()
    make(driver)
    assert cloud.machines() == 1
    unmake(driver)


def quota(value: float) -> Answer:
    """What Service Quotas says."""
    body = json.dumps({"Quota": {"QuotaCode": "L-1216C47A", "Value": value}}).encode()
    return Answer(200, body, {"Content-Type": "application/x-amz-json-1.1"})


def test_the_quota_is_looked_at_first(cloud: Ec2, tmp_path: Path) -> None:
    cloud.proxy.on("GetServiceQuota", lambda proxy, call: quota(4))
    first = make(new(cloud, tmp_path, "first", **{"amazonec2-ami": "ami-00000002"}))
    used = sum(
        i["CpuOptions"]["CoreCount"] * i["CpuOptions"].get("ThreadsPerCore", 1)
        for r in cloud.moto.client().describe_instances()["Reservations"]
        for i in r["Instances"]
        if i.get("CpuOptions")
    )
    cloud.proxy.clear()
    cloud.proxy.on("GetServiceQuota", lambda proxy, call: quota(2))
    assert re.search(r"has \d+ vCPUs and may have 2, and t3.small needs 2 more", check(cloud, tmp_path).brief)
    assert used <= 4
    unmake(first)


def test_an_account_that_may_not_read_quotas_or_parameters(cloud: Ec2, tmp_path: Path) -> None:
    for name in ("GetServiceQuota", "GetParameter"):
        cloud.proxy.on(name, answer(400, b'{"__type": "AccessDeniedException", "message": "no"}'))
    driver = make(new(cloud, tmp_path))
    assert driver.dump()["AMI"] == "ami-00000002", "the publisher's newest, not a stranger's newer one"
    unmake(driver)


def test_the_image_that_the_publisher_names(cloud: Ec2, tmp_path: Path) -> None:
    body = json.dumps({"Parameter": {"Name": "x", "Value": "ami-00000001"}}).encode()
    cloud.proxy.on("GetParameter", answer(200, body, {"Content-Type": "application/x-amz-json-1.1"}))
    driver = new(cloud, tmp_path)
    driver.check()
    assert driver.dump()["AMI"] == "ami-00000001"


def test_an_image_for_arm_and_one_of_debian(cloud: Ec2, tmp_path: Path) -> None:
    arm = new(cloud, tmp_path, **{"amazonec2-instance-type": "t4g.small"})
    arm.check()
    assert (arm.dump()["AMI"], arm.dump()["Architecture"]) == ("ami-00000003", "arm64")
    debian = new(cloud, tmp_path, **{"amazonec2-distribution": "debian-13"})
    debian.check()
    assert (debian.dump()["AMI"], debian.dump()["DeviceName"]) == ("ami-00000005", "/dev/xvda")


def test_a_spot_instance_cannot_stop_and_says_so(cloud: Ec2, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path, **{"amazonec2-request-spot-instance": True}))
    cloud.proxy.on("StopInstances", lambda proxy, call: refusal("UnsupportedOperation"))
    with pytest.raises(NotSupported) as caught:
        driver.power(Verb.STOP)
    assert "spot" in caught.value.brief
    cloud.proxy.clear()
    unmake(driver)


def explained(cloud: Ec2, driver: Any, mend: Callable[[Any, str], None]) -> str:
    """What the driver says of a machine whose group was changed."""
    ec2 = cloud.moto.client()
    group = ec2.describe_security_groups(GroupNames=["docker-machine"])["SecurityGroups"][0]
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    mend(ec2, group["GroupId"])
    return str(driver.explain())


def test_why_ssh_does_not_answer(cloud: Ec2, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    assert isinstance(driver, Diagnosable)
    assert driver.explain() == ""
    assert "lets port 22 in" in explained(cloud, driver, lambda ec2, group: None)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}
    cloud.moto.client().authorize_security_group_ingress(
        GroupId=driver.dump()["SecurityGroupIds"][0], IpPermissions=[rule]
    )
    assert "203.0.113.0/24 only" in driver.explain()
    unmake(driver)


def test_a_group_that_somebody_made_stays_and_is_not_touched_when_readonly(cloud: Ec2, tmp_path: Path) -> None:
    ec2 = cloud.moto.client()
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="docker-machine", Description="theirs", VpcId=vpc)["GroupId"]
    before = cloud.listing()
    driver = make(new(cloud, tmp_path, **{"amazonec2-security-group-readonly": True}))
    assert driver.dump()["SecurityGroupIds"] == [group]
    unmake(driver)
    assert cloud.listing() == before
    driver = make(new(cloud, tmp_path, **{"amazonec2-security-group": [group], "amazonec2-open-port": ["80"]}))
    rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert sorted(rule["FromPort"] for rule in rules) == [22, 80, 2376]
    unmake(driver)
    assert cloud.listing()["groups"] != before["groups"], "rules stay in a group that is not ours"


def test_a_record_of_docker_machine(cloud: Ec2, tmp_path: Path) -> None:
    """It has an instance and a key pair, and neither tags nor a token."""
    ec2 = cloud.moto.client()
    ec2.create_key_pair(KeyName="old")
    made = ec2.run_instances(ImageId="ami-00000001", MinCount=1, MaxCount=1, InstanceType="t2.micro", KeyName="old")
    instance = made["Instances"][0]["InstanceId"]
    fresh = new(cloud, tmp_path)
    credentials = {key: fresh.dump()[key] for key in ("AccessKey", "SecretKey", "Endpoint", "Region")}
    old = type(fresh).load(
        fresh.ctx,
        {
            **credentials,
            "InstanceId": instance,
            "KeyName": "old",
            "VpcId": "vpc-1",
            "SecurityGroupName": "docker-machine",
            "Zone": "a",
            "SSHUser": "ubuntu",
        },
    )
    assert old.state() is State.RUNNING
    assert old.endpoint() is not None
    unmake(old)
    assert old.state() is State.MISSING
    assert cloud.listing()["keys"] == []
    assert cloud.machines() == 0


def test_a_protected_instance_is_not_forgotten(cloud: Ec2, tmp_path: Path) -> None:
    driver = make(new(cloud, tmp_path))
    cloud.moto.client().modify_instance_attribute(
        InstanceId=driver.dump()["InstanceId"], DisableApiTermination={"Value": True}
    )
    with pytest.raises(DriverError) as caught:
        driver.remove()
    assert isinstance(caught.value, errors.Protected)
    cloud.moto.client().modify_instance_attribute(
        InstanceId=driver.dump()["InstanceId"], DisableApiTermination={"Value": False}
    )
    unmake(driver)


def test_a_leftover_token_of_other_keys_is_not_sent(cloud: Ec2, tmp_path: Path) -> None:
    current = new(cloud, tmp_path)
    current.check()
    assert {call.headers["X-Amz-Security-Token"] for call in cloud.proxy.calls} == {KEYS[2]}
    cloud.proxy.clear()
    driver = new(cloud, tmp_path, **{"amazonec2-access-key": LASTING, "amazonec2-session-token": "stale"})
    driver.check()
    assert all("X-Amz-Security-Token" not in call.headers for call in cloud.proxy.calls)
    assert LASTING in cloud.proxy.calls[0].headers["Authorization"]
    assert REGION in cloud.proxy.calls[0].headers["Authorization"]
