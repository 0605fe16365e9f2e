"""The bodies of what driver openstack asks for. Pure: the config in, attributes of the SDK's resources out.

https://docs.openstack.org/api-ref/compute/#create-server, https://docs.openstack.org/api-ref/block-storage/v3/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from machine.drivers.cloud.create_once import own_name as name_with_id
from machine.drivers.cloud.requests import filled
from machine.drivers.cloud.user_data import UserDataLimits
from machine.drivers.openstack import conoha
from machine.drivers.openstack.config import Config, tags

USER_DATA = UserDataLimits("the cloud", "--openstack-user-data-file", 65535 // 4 * 3)  # Nova counts after base64
SMALLEST_DISK = 20  # GB of a root volume, if nobody says
MARK = "machine-id"  # key of metadata
GROUP_MARK = "made by machine for its Docker hosts"


def marker(machine_id: str) -> str:
    """The mark of a machine as the description of a thing that cannot have metadata."""
    return f"{MARK}:{machine_id}"


def own_name(name: str, machine_id: str) -> str:
    """The name of the key pair and of the volume made for a machine. Nova takes letters, digits, blank, `-` and `_`."""
    return name_with_id(name.replace(".", "-")[:200], machine_id)


def is_ours(server: Mapping[str, Any], config: Config, machine_id: str) -> bool:
    """Whether a server is the machine's: it carries the id, or the key pair that was made for it alone."""
    if (server.get("metadata") or {}).get(MARK) == machine_id:
        return True
    own = "" if config.existing_key else config.key_pair
    return bool(own) and server.get("key_name") == own


def server(config: Config, name: str, machine_id: str, user_data: str) -> dict[str, Any]:
    """One server as the config has it."""
    volume = config.volume_id or config.own_volume_id
    body: dict[str, Any] = {
        "name": name,
        "flavor_id": config.flavor_id,
        "key_name": config.key_pair,
        "metadata": {**tags(config.metadata), MARK: machine_id},
    }
    more = {
        "security_groups": [{"name": group} for group in config.security_group_ids],
        "block_device_mapping": [_disk(config, volume)] if volume else [],
        "image_id": "" if volume else config.image_id,
        "networks": [{"uuid": config.network_id}] if config.network_id else [],
        "user_data": base64.b64encode(user_data.encode()).decode(),
        "has_config_drive": config.config_drive,
        "availability_zone": config.availability_zone,
        "scheduler_hints": {"group": config.server_group_id} if config.server_group_id else {},
        "admin_password": config.admin_password,
    }
    body |= filled(more)
    if config.is_conoha:
        body["metadata"].update(conoha.metadata(name))
        body.setdefault("admin_password", conoha.password())
    return body


def _disk(config: Config, volume: str) -> dict[str, Any]:
    disk = {
        "uuid": volume,
        "source_type": "volume",
        "destination_type": "volume",
        "boot_index": 0,
        "delete_on_termination": not config.volume_id,
    }
    return {**disk, "device_name": config.volume_device_path} if config.volume_device_path else disk


def volume(config: Config, name: str, machine_id: str) -> dict[str, Any]:
    """The root volume made for the machine."""
    found: dict[str, Any] = {
        "name": config.own_volume_name,
        "size": config.own_volume_size,
        "image_id": config.image_id,
        "metadata": {MARK: machine_id},
        "description": f"root disk of machine {name}",
    }
    more = {"volume_type": config.volume_type, "availability_zone": config.volume_zone}
    return found | filled(more)


def volume_size(config: Config, flavor: Mapping[str, Any], image: Mapping[str, Any]) -> int:
    """GB of the root volume."""
    if config.volume_size:
        return config.volume_size
    if config.is_conoha:
        return conoha.disk_size(int(flavor.get("ram") or 0))
    size = max(int(image.get(key) or 0) for key in ("size", "virtual_size"))  # bytes, the latter once unpacked
    return max(int(image.get("min_disk") or 0), -(-size // 1024**3), SMALLEST_DISK)
