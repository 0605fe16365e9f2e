"""Option values to the Driver object: every old flag is there, nonsense is named, forks' names mean the same."""

from __future__ import annotations

from typing import Any

import pytest

from machine.drivers.amazonec2 import firewall, images, requests
from machine.drivers.amazonec2.config import Config
from machine.drivers.amazonec2.driver import AmazonDriver
from machine.drivers.amazonec2.errors import flag_of, translate
from machine.drivers.cloud import firewall as kit
from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.ports import PortRange, needed_port_ranges
from machine.errors import UsageError
from machine.options import resolve
from tests.drivers import contexts

OLD = {  # docker-machine 0.16's flags, then those of its forks, with their variables
    "access-key": "AWS_ACCESS_KEY_ID",
    "secret-key": "AWS_SECRET_ACCESS_KEY",
    "session-token": "AWS_SESSION_TOKEN",
    "ami": "AWS_AMI",
    "region": "AWS_DEFAULT_REGION",
    "vpc-id": "AWS_VPC_ID",
    "zone": "AWS_ZONE",
    "subnet-id": "AWS_SUBNET_ID",
    "security-group-readonly": "AWS_SECURITY_GROUP_READONLY",
    "security-group": "AWS_SECURITY_GROUP",
    "open-port": "",
    "tags": "AWS_TAGS",
    "instance-type": "AWS_INSTANCE_TYPE",
    "device-name": "AWS_DEVICE_NAME",
    "root-size": "AWS_ROOT_SIZE",
    "volume-type": "AWS_VOLUME_TYPE",
    "iam-instance-profile": "AWS_INSTANCE_PROFILE",
    "ssh-port": "AWS_SSH_PORT",
    "ssh-user": "AWS_SSH_USER",
    "request-spot-instance": "",
    "spot-price": "",
    "block-duration-minutes": "",
    "private-address-only": "",
    "use-private-address": "",
    "monitoring": "",
    "use-ebs-optimized-instance": "",
    "ssh-keypath": "AWS_SSH_KEYPATH",
    "keypair-name": "AWS_KEYPAIR_NAME",
    "retries": "",
    "endpoint": "AWS_ENDPOINT",
    "insecure-transport": "AWS_INSECURE_TRANSPORT",
    "userdata": "AWS_USERDATA",
    "encrypt-ebs-volume": "AWS_ENCRYPT_EBS_VOLUME",
    "kms-key": "AWS_KMS_KEY",
    "http-tokens": "AWS_HTTP_TOKENS",
    "http-endpoint": "AWS_HTTP_ENDPOINT",
    "http-protocol-ipv6": "AWS_HTTP_PROTOCOL_IPV6",
    "ipv6-address-count": "AWS_IPV6_ADDRESS_COUNT",
    "enable-primary-ipv6": "AWS_ENABLE_PRIMARY_IPV6",
    "ipv6-address-only": "AWS_IPV6_ADDRESS_ONLY",
    "volume-encrypted": "",
    "volume-kms-key": "AWS_VOLUME_KMS_KEY",
    "metadata-token": "",
    "metadata-token-response-hop-limit": "",
}


def data(**given: Any) -> dict[str, Any]:
    """The Driver object for flags, as `key_pair_name="x"` for --amazonec2-key-pair-name."""
    typed = {f"amazonec2-{name.replace('_', '-')}": value for name, value in given.items()}
    return AmazonDriver.configure(contexts.forbidding(), resolve(AmazonDriver.traits.options, typed, {})).dump()


def test_every_old_flag_and_variable_is_there() -> None:
    have = {option.name.removeprefix("amazonec2-"): option.env for option in AmazonDriver.traits.options}
    assert {flag: have.get(flag) for flag in OLD} == OLD


def test_old_keys_keep_their_names() -> None:
    known = set(AmazonDriver.traits.record_keys.known)
    assert known - set(data()) == {
        *("Id", "SSHKeyID", "InstanceId", "PrivateIPAddress", "SecurityGroupId", "SecurityGroupIds"),
        *("SecurityGroupName", "ReservationId"),
    }, "what docker-machine keeps is kept under the same key; these come with create, or were never needed"


def test_the_secrets_are_those_that_are_taken_out_of_old_records() -> None:
    assert {option.key for option in AmazonDriver.traits.options if option.secret} == set(
        AmazonDriver.traits.record_keys.secrets
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"access_key": "A"}, "--amazonec2-secret-key"),
        ({"secret_key": "A"}, "--amazonec2-access-key"),
        ({"region": "eu west"}, "--amazonec2-region"),
        ({"region": "x.evil.example/"}, "--amazonec2-region"),
        ({"ssh_port": 0}, "--amazonec2-ssh-port"),
        ({"root_size": 0}, "--amazonec2-root-size"),
        ({"retries": -2}, "--amazonec2-retries"),
        ({"distribution": "gentoo"}, "--amazonec2-distribution"),
        ({"open_port": ["80-70"]}, "--amazonec2-open-port"),
        ({"open_port": ["http"]}, "--amazonec2-open-port"),
        ({"allow_from": ["somewhere"]}, "--amazonec2-allow-from"),
        ({"http_tokens": "maybe"}, "--amazonec2-http-tokens"),
        ({"http_tokens": "optional", "metadata_token": "required"}, "--amazonec2-metadata-token"),
        ({"kms_key": "a", "volume_kms_key": "b"}, "--amazonec2-volume-kms-key"),
        ({"keypair_name": "mine"}, "--amazonec2-keypair-name"),
        ({"tags": "a,b,c"}, "--amazonec2-tags"),
        ({"tags": "aws:x,b"}, "--amazonec2-tags"),
        ({"tags": "machine-id,b"}, "--amazonec2-tags"),
        ({"ipv6_address_only": True}, "--amazonec2-ipv6-address-count"),
        ({"ipv6_address_only": True, "ipv6_address_count": 1, "use_private_address": True}, "--amazonec2-ipv6-add"),
        ({"private_ip_address": "10.0.0"}, "--amazonec2-private-ip-address"),
        ({"spot_price": "cheap"}, "--amazonec2-spot-price"),
    ],
)
def test_nonsense_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        data(**given)
    assert named in caught.value.brief + caught.value.resolution
    assert caught.value.resolution


def test_the_login_follows_the_image() -> None:
    assert data()["SSHUser"] == "ubuntu"
    assert data(distribution="debian-13")["SSHUser"] == "admin"
    assert data(distribution="debian-13", ami="ami-1")["SSHUser"] == "ubuntu"
    assert data(distribution="debian-13", ssh_user="me")["SSHUser"] == "me"


def request(**given: Any) -> dict[str, Any]:
    """The body of RunInstances for flags."""
    settled = {"AMI": "ami-1", "SubnetId": "subnet-1", "ClientToken": "t", "DeviceName": "/dev/xvda", "KeyName": "k"}
    found = Config.from_record({**data(**given), **settled, "SecurityGroupIds": ["sg-1"]})
    return requests.request(found, requests.tags(found, "dev", "0123"))


def test_what_is_asked_for_by_default() -> None:
    assert request() == {
        "ImageId": "ami-1",
        "InstanceType": "t3.small",
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": "k",
        "ClientToken": "t",
        "Monitoring": {"Enabled": False},
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": "subnet-1",
                "Groups": ["sg-1"],
                "DeleteOnTermination": True,
                "AssociatePublicIpAddress": True,
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"VolumeSize": 16, "VolumeType": "gp3", "DeleteOnTermination": True},
            }
        ],
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2,
            "HttpProtocolIpv6": "disabled",
        },
        "TagSpecifications": [
            {
                "ResourceType": kind,
                "Tags": [{"Key": "Name", "Value": "dev"}, {"Key": "machine-id", "Value": "0123"}],
            }
            for kind in ("instance", "volume", "network-interface")
        ],
    }


def test_what_else_can_be_asked_for() -> None:
    spot = request(request_spot_instance=True, spot_price="0.05", tags="team, blue", monitoring=True)
    assert spot["InstanceMarketOptions"] == {
        "MarketType": "spot",
        "SpotOptions": {
            "SpotInstanceType": "one-time",
            "InstanceInterruptionBehavior": "terminate",
            "MaxPrice": "0.05",
        },
    }
    assert "MaxPrice" not in request(request_spot_instance=True)["InstanceMarketOptions"]["SpotOptions"]
    assert {spec["ResourceType"] for spec in spot["TagSpecifications"]} >= {"instance", "spot-instances-request"}
    assert all({"Key": "team", "Value": "blue"} in spec["Tags"] for spec in spot["TagSpecifications"])
    for flag in ("kms_key", "volume_kms_key"):
        ebs = request(**{flag: "alias/disk"})["BlockDeviceMappings"][0]["Ebs"]
        assert (ebs["Encrypted"], ebs["KmsKeyId"]) == (True, "alias/disk")
    for flag in ("encrypt_ebs_volume", "volume_encrypted"):
        assert request(**{flag: True})["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert request(metadata_token="optional")["MetadataOptions"]["HttpTokens"] == "optional"
    assert request(http_endpoint="disabled")["MetadataOptions"] == {"HttpEndpoint": "disabled"}
    assert request(iam_instance_profile="role")["IamInstanceProfile"] == {"Name": "role"}
    arn = "arn:aws:iam::1:instance-profile/role"
    assert request(iam_instance_profile=arn)["IamInstanceProfile"] == {"Arn": arn}
    assert request(private_address_only=True)["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False
    assert request(use_private_address=True)["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True
    six = request(ipv6_address_only=True, ipv6_address_count=2, enable_primary_ipv6=True)["NetworkInterfaces"][0]
    assert (six["Ipv6AddressCount"], six["PrimaryIpv6"], six["AssociatePublicIpAddress"]) == (2, True, False)


def test_openings() -> None:
    found = needed_port_ranges(22, 2376, (3376, 2377, 7946, 4789), ["80", "53/udp", "8000-8100"])
    assert [(o.protocol, o.first, o.last) for o in found] == [
        *(("tcp", 22, 22), ("tcp", 80, 80), ("tcp", 2376, 2376), ("tcp", 2377, 2377), ("tcp", 3376, 3376)),
        *(("tcp", 7946, 7946), ("tcp", 8000, 8100), ("udp", 53, 53), ("udp", 4789, 4789), ("udp", 7946, 7946)),
    ]


SSH = PortRange("tcp", 22, 22)


def missing(wanted: list[Rule], permissions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is added to a group with these permissions."""
    present = firewall.rules([{"IpPermissions": permissions}])
    return [firewall.request(rule) for rule in kit.missing(wanted, present)]


def test_only_what_is_missing_is_added() -> None:
    wanted = kit.rules([SSH], [], "sg-1")
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    four, six = {**ssh, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, {**ssh, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    assert missing(wanted, []) == [four, six]
    assert missing(wanted, [four, six]) == []
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    assert missing(wanted, everything) == []
    wide = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 100, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    assert missing(wanted, wide) == [six]


def test_only_the_networks_that_are_named_and_the_machines_themselves_get_in() -> None:
    config = Config.from_record(data(allow_from=["203.0.113.9", "2001:db8::/32"]))
    found = missing(kit.rules([SSH], config.allow_from, "g"), [])
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    assert found == [
        {**ssh, "IpRanges": [{"CidrIp": "203.0.113.9/32"}]},
        {**ssh, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        {**ssh, "UserIdGroupPairs": [{"GroupId": "g"}]},
    ]


def test_zones_and_images() -> None:
    for zone, name in (("b", "eu-west-1b"), ("eu-west-1b", "eu-west-1b"), ("", "")):
        assert Config.from_record({"Region": "eu-west-1", "Zone": zone}).zone == name
    noble = images.DISTRIBUTIONS["ubuntu-24.04"]
    assert noble.parameter_for("arm64") == (
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
    )
    assert images.DISTRIBUTIONS["debian-13"].parameter_for("x86_64") == "/aws/service/debian/release/13/latest/amd64"
    assert images.newest([]) is None


def root_disk(**given: Any) -> dict[str, Any]:
    """The root disk that an instance is asked for with."""
    (disk,) = requests.request(Config.from_record(data(**given)), [])["BlockDeviceMappings"]
    found: dict[str, Any] = disk["Ebs"]
    return found


@pytest.mark.parametrize("kind", ["io1", "io2"])
def test_a_provisioned_disk_needs_its_operations_and_gets_them(kind: str) -> None:
    with pytest.raises(UsageError, match=kind) as caught:
        data(volume_type=kind)
    assert "--amazonec2-volume-iops" in caught.value.resolution
    disk = root_disk(volume_type=kind, volume_iops=4000)
    assert (disk["VolumeType"], disk["Iops"]) == (kind, 4000)
    assert "Throughput" not in disk


def test_a_gp3_disk_takes_both_and_others_none() -> None:
    disk = root_disk(volume_iops=6000, volume_throughput=500)
    assert (disk["Iops"], disk["Throughput"]) == (6000, 500)
    for given in ({"volume_type": "gp2", "volume_iops": 1}, {"volume_type": "io2", "volume_throughput": 125}):
        with pytest.raises(UsageError, match="means nothing for a volume of type"):
            data(**{"volume_iops": 0, **given})


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Value (gp9) for parameter volumeType is invalid.", "volume-type"),
        ("The parameter iops must be specified for io2 volumes.", "volume-iops"),
        ("Iops to volume size ratio of 625.000000 is too high; maximum is 500", "volume-iops"),
        ("Throughput (MiB/s) to iops ratio of 0.5 is too high", "volume-throughput"),
        ("Value (x) for parameter iamInstanceProfile.name is invalid.", "iam-instance-profile"),
        ("Invalid availability zone: [us-east-1z]", "zone"),
        ("Invalid device name sda", "device-name"),
        ("Tag keys starting with 'aws:' are reserved", "tags"),
        ("The vantage point is wrong", ""),
    ],
)
def test_ec2s_words_lead_to_the_flag(text: str, flag: str) -> None:
    assert flag_of(text) == flag
    advice = translate("InvalidParameterValue", text, "run instances").resolution
    assert advice == (
        f"check --amazonec2-{flag}"
        if flag
        else "change what the message names; `machine create -d amazonec2 --help` lists the flags"
    )
