"""The body of RunInstances. Pure: the config in, the request out.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.amazonec2.config import Config, split_tags
from machine.drivers.cloud.requests import filled
from machine.drivers.cloud.user_data import UserDataLimits

USER_DATA = UserDataLimits("EC2", "--amazonec2-userdata", 16 * 1024)  # before base64


def tags(config: Config, name: str, machine_id: str) -> list[dict[str, str]]:
    """What every object of one machine carries: its name, its id, and the user's own."""
    own = {"Name": name, "machine-id": machine_id}
    return [{"Key": key, "Value": value} for key, value in {**split_tags(config.tags), **own}.items()]


def request(
    config: Config, carried: Sequence[Mapping[str, str]], *, user_data: str = "", dry: bool = False
) -> dict[str, Any]:
    """One instance as the config has it, at its subnet, under its token; `carried` are its tags."""
    kinds = ["instance", "volume", "network-interface", *(["spot-instances-request"] if config.spot else [])]
    profile = config.iam_instance_profile
    optional = {
        "EbsOptimized": config.ebs_optimized,
        "IamInstanceProfile": {"Arn" if profile.startswith("arn:") else "Name": profile} if profile else {},
        "InstanceMarketOptions": _spot(config) if config.spot else {},
        "DryRun": dry,
        "ClientToken": "" if dry else config.client_token,
        "KeyName": config.key_name if config.existing_key or not dry else "",
        "UserData": user_data,
    }
    return {
        "ImageId": config.ami,
        "InstanceType": config.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [_interface(config)],
        "BlockDeviceMappings": [_disk(config)],
        "MetadataOptions": _metadata(config),
        "Monitoring": {"Enabled": config.monitoring},
        "TagSpecifications": [{"ResourceType": kind, "Tags": list(carried)} for kind in kinds],
        **filled(optional),
    }


def _interface(config: Config) -> dict[str, Any]:
    optional = {
        "Groups": list(config.security_group_ids),
        "PrivateIpAddress": config.fixed_private_ip,
        "Ipv6AddressCount": config.ipv6_address_count,
        "PrimaryIpv6": config.primary_ipv6,
    }
    return {
        "DeviceIndex": 0,
        "SubnetId": config.subnet_id,
        "DeleteOnTermination": True,
        "AssociatePublicIpAddress": not (config.private_only or config.ipv6_only),
        **filled(optional),
    }


def _disk(config: Config) -> dict[str, Any]:
    optional = {
        "Iops": config.volume_iops,
        "Throughput": config.volume_throughput,
        "Encrypted": config.encrypted,
        "KmsKeyId": config.kms_key,
    }
    ebs = {"VolumeSize": config.root_size, "VolumeType": config.volume_type, "DeleteOnTermination": True}
    return {"DeviceName": config.device_name, "Ebs": {**ebs, **filled(optional)}}


def _metadata(config: Config) -> dict[str, Any]:
    if config.http_endpoint == "disabled":
        return {"HttpEndpoint": "disabled"}
    return {
        "HttpEndpoint": "enabled",
        "HttpTokens": config.http_tokens,
        "HttpPutResponseHopLimit": config.http_hop_limit,
        "HttpProtocolIpv6": config.http_protocol_ipv6,
    }


def _spot(config: Config) -> dict[str, Any]:
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    return {"MarketType": "spot", "SpotOptions": {**options, **filled({"MaxPrice": config.spot_price})}}
