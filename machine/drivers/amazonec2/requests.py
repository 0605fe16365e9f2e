"""The body of RunInstances. Pure: the Driver object in, the request out.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.amazonec2 import config
from machine.drivers.cloud.user_data import Rules

USER_DATA = Rules("EC2", "--amazonec2-userdata", 16 * 1024)  # before base64


def tags(data: Mapping[str, Any], name: str, machine_id: str) -> list[dict[str, str]]:
    """What every object of one machine carries: its name, its id, and the user's own."""
    own = {"Name": name, "machine-id": machine_id}
    return [{"Key": key, "Value": value} for key, value in {**config.tags(str(data.get("Tags") or "")), **own}.items()]


def request(
    data: Mapping[str, Any], carried: Sequence[Mapping[str, str]], *, user_data: str = "", dry: bool = False
) -> dict[str, Any]:
    """One instance as `data` has it, at its SubnetId, under its ClientToken; `carried` are its tags."""
    kinds = ["instance", "volume", "network-interface"]
    found: dict[str, Any] = {
        "ImageId": data["AMI"],
        "InstanceType": data["InstanceType"],
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [_interface(data)],
        "BlockDeviceMappings": [_disk(data)],
        "MetadataOptions": _metadata(data),
        "Monitoring": {"Enabled": bool(data.get("Monitoring"))},
    }
    if data.get("UseEbsOptimizedInstance"):
        found["EbsOptimized"] = True
    if data.get("IamInstanceProfile"):
        profile = str(data["IamInstanceProfile"])
        found["IamInstanceProfile"] = {"Arn" if profile.startswith("arn:") else "Name": profile}
    if data.get("RequestSpotInstance"):
        kinds.append("spot-instances-request")
        found["InstanceMarketOptions"] = _spot(data)
    if dry:
        found["DryRun"] = True
    else:
        found["ClientToken"] = data["ClientToken"]
    if data.get("KeyName") and (not dry or data.get("ExistingKey")):
        found["KeyName"] = data["KeyName"]
    if user_data:
        found["UserData"] = user_data
    found["TagSpecifications"] = [{"ResourceType": kind, "Tags": list(carried)} for kind in kinds]
    return found


def _interface(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "DeviceIndex": 0,
        "SubnetId": data["SubnetId"],
        "DeleteOnTermination": True,
        "AssociatePublicIpAddress": not (data.get("PrivateIPOnly") or data.get("Ipv6AddressOnly")),
    }
    if data.get("SecurityGroupIds"):
        found["Groups"] = list(data["SecurityGroupIds"])
    if data.get("FixedPrivateIP"):
        found["PrivateIpAddress"] = data["FixedPrivateIP"]
    if data.get("Ipv6AddressCount"):
        found["Ipv6AddressCount"] = int(data["Ipv6AddressCount"])
    if data.get("EnablePrimaryIpv6"):
        found["PrimaryIpv6"] = True
    return found


def _disk(data: Mapping[str, Any]) -> dict[str, Any]:
    ebs: dict[str, Any] = {
        "VolumeSize": int(data["RootSize"]),
        "VolumeType": data["VolumeType"],
        "DeleteOnTermination": True,
    }
    if data.get("VolumeIops"):
        ebs["Iops"] = int(data["VolumeIops"])
    if data.get("VolumeThroughput"):
        ebs["Throughput"] = int(data["VolumeThroughput"])
    if config.encrypted(data):
        ebs["Encrypted"] = True
    if data.get("VolumeKmsKeyId"):
        ebs["KmsKeyId"] = data["VolumeKmsKeyId"]
    return {"DeviceName": data["DeviceName"], "Ebs": ebs}


def _metadata(data: Mapping[str, Any]) -> dict[str, Any]:
    if data.get("HttpEndpoint") == "disabled":
        return {"HttpEndpoint": "disabled"}
    return {
        "HttpEndpoint": "enabled",
        "HttpTokens": data.get("HttpTokens") or "required",
        "HttpPutResponseHopLimit": int(data.get("MetadataTokenResponseHopLimit") or 2),
        "HttpProtocolIpv6": data.get("HttpProtocolIpv6") or "disabled",
    }


def _spot(data: Mapping[str, Any]) -> dict[str, Any]:
    options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
    if data.get("SpotPrice"):
        options["MaxPrice"] = str(data["SpotPrice"])
    return {"MarketType": "spot", "SpotOptions": options}
