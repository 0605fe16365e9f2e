"""What a machine of driver amazonec2 shall be: option values, checked, as the Driver object of config.json.

The keys are docker-machine's where it has them, then those of its forks, then ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from machine.drivers.amazonec2 import firewall, images
from machine.drivers.amazonec2.options import GROUP
from machine.drivers.cloud.flags import Flags, absolute
from machine.drivers.cloud.ports import group_name
from machine.drivers.gaps import MissingOption, check_complete
from machine.errors import UsageError
from machine.options import Values

FLAGS = Flags("amazonec2")

PLAIN = {  # option (without its prefix) -> key, where the value is kept as it is
    "access-key": "AccessKey",
    "secret-key": "SecretKey",
    "session-token": "SessionToken",
    "profile": "Profile",
    "region": "Region",
    "endpoint": "Endpoint",
    "insecure-transport": "DisableSSL",
    "retries": "RetryCount",
    "api-timeout": "ApiTimeout",
    "ami": "AMI",
    "instance-type": "InstanceType",
    "iam-instance-profile": "IamInstanceProfile",
    "tags": "Tags",
    "monitoring": "Monitoring",
    "device-name": "DeviceName",
    "root-size": "RootSize",
    "volume-type": "VolumeType",
    "volume-iops": "VolumeIops",
    "volume-throughput": "VolumeThroughput",
    "use-ebs-optimized-instance": "UseEbsOptimizedInstance",
    "vpc-id": "VpcId",
    "subnet-id": "SubnetId",
    "zone": "Zone",
    "private-address-only": "PrivateIPOnly",
    "use-private-address": "UsePrivateIP",
    "private-ip-address": "FixedPrivateIP",
    "ipv6-address-count": "Ipv6AddressCount",
    "enable-primary-ipv6": "EnablePrimaryIpv6",
    "ipv6-address-only": "Ipv6AddressOnly",
    "security-group-readonly": "SecurityGroupReadOnly",
    "open-port": "OpenPorts",
    "http-protocol-ipv6": "HttpProtocolIpv6",
    "metadata-token-response-hop-limit": "MetadataTokenResponseHopLimit",
    "request-spot-instance": "RequestSpotInstance",
    "spot-price": "SpotPrice",
    "block-duration-minutes": "BlockDurationMinutes",
    "keypair-name": "KeyName",
}
SWITCH = ("enabled", "disabled")
_REGION = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
SPANS = {  # flag -> the least and the most
    "ssh-port": (1, 65535),
    "root-size": (1, 65536),
    "retries": (-1, 100),
    "api-timeout": (1, 3600),
    "ipv6-address-count": (0, 100),
    "metadata-token-response-hop-limit": (1, 64),
}


def from_values(values: Values) -> dict[str, Any]:
    """The Driver object that option values ask for; UsageError names the flag that makes no sense."""

    def value(flag: str) -> Any:
        return values[f"amazonec2-{flag}"]

    data: dict[str, Any] = {key: value(flag) for flag, key in PLAIN.items()}
    check_complete("amazonec2", _gaps(data, str(value("ssh-keypath"))))
    _check_access(data)
    FLAGS.check_spans(values, SPANS)
    data["SSHPort"] = value("ssh-port")
    data["Distribution"] = _one_of("distribution", value("distribution"), tuple(images.DISTRIBUTIONS))
    data["SSHUser"] = value("ssh-user") or _user(data)
    data["OpenPorts"] = [FLAGS.port(text) for text in value("open-port")]
    data["AllowFrom"] = [FLAGS.network(text) for text in value("allow-from")]
    data["SecurityGroupNames"] = list(value("security-group")) or [group_name(GROUP, data["AllowFrom"])]
    data["EncryptEbsVolume"] = value("encrypt-ebs-volume") or value("volume-encrypted")
    data["VolumeKmsKeyId"] = _same("kms-key", "volume-kms-key", values)
    data["HttpTokens"] = _same("http-tokens", "metadata-token", values) or "required"
    _one_of("http-tokens", data["HttpTokens"], ("required", "optional"))
    data["HttpEndpoint"] = _one_of("http-endpoint", value("http-endpoint") or "enabled", SWITCH)
    _one_of("http-protocol-ipv6", data["HttpProtocolIpv6"], SWITCH)
    _check_key(data, value("ssh-keypath"))
    data["UserDataFile"] = absolute(value("userdata"))
    tags(data["Tags"])
    _check_addresses(data)
    _check_disk(data)
    return data


def tags(text: str) -> dict[str, str]:
    """`key,value,key,value` as a mapping; UsageError on an odd number of words and on keys that EC2 keeps to itself."""
    found = FLAGS.pairs("tags", text)
    for key in found:
        if not key or key.lower().startswith("aws:") or key in ("Name", "machine-id"):
            raise UsageError(
                f"--amazonec2-tags cannot set {key!r}", resolution="choose another key; Name and machine-id are set"
            )
    return found


def zone(data: Mapping[str, Any]) -> str:
    """The full name of the wanted zone, "" for any: docker-machine keeps the letter alone."""
    wanted = str(data.get("Zone") or "")
    return f"{data.get('Region')}{wanted}" if len(wanted) == 1 else wanted


def group_names(data: Mapping[str, Any]) -> list[str]:
    """The wanted groups; docker-machine's older records have one name only."""
    names = data.get("SecurityGroupNames") or [data.get("SecurityGroupName")]
    return [str(name) for name in names if name]


def encrypted(data: Mapping[str, Any]) -> bool:
    """Whether the root disk shall be encrypted, under either fork's key."""
    return bool(data.get("EncryptEbsVolume") or data.get("VolumeEncrypted") or data.get("VolumeKmsKeyId"))


def _gaps(data: Mapping[str, Any], key_path: str) -> list[MissingOption]:
    """What belongs to something that was given, and was not given itself."""
    gaps = []
    if bool(data["AccessKey"]) != bool(data["SecretKey"]):
        missing = "secret-key" if data["AccessKey"] else "access-key"
        gaps.append(
            MissingOption(
                f"--amazonec2-{missing} is missing: the two keys belong together",
                "give both, or neither to use the SDK's own chain (--amazonec2-profile, SSO, role)",
                credential=True,
            )
        )
    if data["KeyName"] and not key_path:
        gaps.append(
            MissingOption(
                "--amazonec2-keypair-name needs the private key that belongs to it",
                "add --amazonec2-ssh-keypath PATH, or leave the name out to have a key pair made",
            )
        )
    return gaps


def _check_access(data: Mapping[str, Any]) -> None:
    if data["Region"] and not _REGION.fullmatch(data["Region"]):
        raise FLAGS.wrong("region", data["Region"], "a region such as eu-central-1")


def _check_key(data: dict[str, Any], path: str) -> None:
    data["ExistingKey"] = bool(data["KeyName"])
    data["SSHPrivateKeyPath"] = absolute(path)


def _check_addresses(data: Mapping[str, Any]) -> None:
    if data["FixedPrivateIP"]:
        try:
            firewall.network(data["FixedPrivateIP"])
        except ValueError:
            raise FLAGS.wrong("private-ip-address", data["FixedPrivateIP"], "an address of the subnet") from None
    if data["Ipv6AddressOnly"] and (data["PrivateIPOnly"] or data["UsePrivateIP"]):
        raise UsageError(
            "--amazonec2-ipv6-address-only and a private address exclude each other",
            resolution="give one of --amazonec2-ipv6-address-only, --amazonec2-private-address-only, "
            "--amazonec2-use-private-address",
        )
    if (data["Ipv6AddressOnly"] or data["EnablePrimaryIpv6"]) and not data["Ipv6AddressCount"]:
        raise UsageError(
            "an IPv6 address is wanted, but none is asked for", resolution="add --amazonec2-ipv6-address-count 1"
        )
    if data["SpotPrice"] and not re.fullmatch(r"\d*\.?\d+", data["SpotPrice"]):
        raise FLAGS.wrong("spot-price", data["SpotPrice"], "dollars an hour, such as 0.05")


def _check_disk(data: Mapping[str, Any]) -> None:
    """Which kinds of volume take iops and throughput; how much of them is EC2's to say (its check before a launch)."""
    kind, iops, throughput = str(data["VolumeType"]), data["VolumeIops"], data["VolumeThroughput"]
    for flag, number, kinds in (
        ("volume-iops", iops, ("gp3", "io1", "io2")),
        ("volume-throughput", throughput, ("gp3",)),
    ):
        if number < 0:
            raise FLAGS.wrong(flag, number, "a number above 0")
        if number and kind not in kinds:
            raise UsageError(
                f"--amazonec2-{flag} means nothing for a volume of type {kind}",
                resolution=f"leave it out, or give --amazonec2-volume-type {' or '.join(kinds)}",
            )
    if kind in ("io1", "io2") and not iops:
        raise UsageError(
            f"a volume of type {kind} needs a number of operations a second",
            resolution="add --amazonec2-volume-iops 3000, say; or take --amazonec2-volume-type gp3",
        )


def _user(data: Mapping[str, Any]) -> str:
    return "ubuntu" if data["AMI"] else images.DISTRIBUTIONS[data["Distribution"]].user


def _same(flag: str, other: str, values: Values) -> str:
    first, second = str(values[f"amazonec2-{flag}"]), str(values[f"amazonec2-{other}"])
    if first and second and first != second:
        raise UsageError(
            f"--amazonec2-{flag} and --amazonec2-{other} differ", resolution="they mean the same: give one"
        )
    return first or second


def _one_of(flag: str, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise FLAGS.wrong(flag, word, "one of " + ", ".join(words))
    return word
