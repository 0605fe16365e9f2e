"""The bodies of what driver openstack asks for. Pure: the Driver object in, attributes of the SDK's resources out.

https://docs.openstack.org/api-ref/compute/#create-server, https://docs.openstack.org/api-ref/block-storage/v3/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from machine.drivers.cloud.adopt import own_name as name_with_id
from machine.drivers.cloud.user_data import Rules
from machine.drivers.openstack import config, conoha

USER_DATA = Rules("the cloud", "--openstack-user-data-file", 65535 // 4 * 3)  # Nova counts after base64
ENGINE_PORT = 2376
SMALLEST_DISK = 20  # GB of a root volume, if nobody says
MARK = "machine-id"  # key of metadata
GROUP_MARK = "made by machine for its Docker hosts"


def mark(machine_id: str) -> str:
    """What the description of a thing of one machine is, where there is no metadata."""
    return f"{MARK}:{machine_id}"


def own_name(name: str, machine_id: str) -> str:
    """Of the key pair and the volume made for a machine. Nova's key pairs: letters, digits, blank, `-` and `_`."""
    return name_with_id(name.replace(".", "-")[:200], machine_id)


def is_ours(server: Mapping[str, Any], data: Mapping[str, Any], machine_id: str) -> bool:
    """Whether a server is the machine's: it carries the id, or the key pair that was made for it alone."""
    if (server.get("metadata") or {}).get(MARK) == machine_id:
        return True
    own = data.get("KeyPairName") if not data.get("ExistingKey") else ""
    return bool(own) and server.get("key_name") == own


def server(data: Mapping[str, Any], name: str, machine_id: str, user_data: str) -> dict[str, Any]:
    """One server as `data` has it."""
    found: dict[str, Any] = {
        "name": name,
        "flavor_id": data["FlavorId"],
        "key_name": data["KeyPairName"],
        "metadata": {**config.metadata(str(data.get("Metadata") or "")), MARK: machine_id},
    }
    if groups := data.get("SecurityGroupIds"):
        found["security_groups"] = [{"name": group} for group in groups]
    if volume := data.get("VolumeId") or data.get("OwnVolumeId"):
        disk = {
            "uuid": volume,
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0,
            "delete_on_termination": not data.get("VolumeId"),
        }
        if data.get("VolumeDevicePath"):
            disk["device_name"] = data["VolumeDevicePath"]
        found["block_device_mapping"] = [disk]
    else:
        found["image_id"] = data["ImageId"]
    if data.get("NetworkId"):
        found["networks"] = [{"uuid": data["NetworkId"]}]
    if user_data:
        found["user_data"] = base64.b64encode(user_data.encode()).decode()
    if data.get("ConfigDrive"):
        found["has_config_drive"] = True
    if data.get("AvailabilityZone"):
        found["availability_zone"] = data["AvailabilityZone"]
    if data.get("ServerGroupId"):
        found["scheduler_hints"] = {"group": data["ServerGroupId"]}
    if data.get("AdminPass"):
        found["admin_password"] = data["AdminPass"]
    if config.is_conoha(data):
        found["metadata"].update(conoha.metadata(name))
        found.setdefault("admin_password", conoha.password())
    return found


def volume(data: Mapping[str, Any], name: str, machine_id: str) -> dict[str, Any]:
    """The root volume made for the machine."""
    found: dict[str, Any] = {
        "name": data["OwnVolumeName"],
        "size": int(data["OwnVolumeSize"]),
        "image_id": data["ImageId"],
        "metadata": {MARK: machine_id},
        "description": f"root disk of machine {name}",
    }
    if data.get("VolumeType"):
        found["volume_type"] = data["VolumeType"]
    if data.get("VolumeZone"):
        found["availability_zone"] = data["VolumeZone"]
    return found


def volume_size(data: Mapping[str, Any], flavor: Mapping[str, Any], image: Mapping[str, Any]) -> int:
    """GB of the root volume."""
    if data.get("VolumeSize"):
        return int(data["VolumeSize"])
    if config.is_conoha(data):
        return conoha.disk_size(int(flavor.get("ram") or 0))
    size = max(int(image.get(key) or 0) for key in ("size", "virtual_size"))  # bytes, the latter once unpacked
    return max(int(image.get("min_disk") or 0), -(-size // 1024**3), SMALLEST_DISK)
