"""The bodies of what is made, as ARM's REST API takes them. Pure: the config in, the request out.

https://learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update and its neighbours.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.azure.config import Config
from machine.drivers.azure.resources import ADDRESS, DISK, INTERFACE, MACHINE, SECURITY_GROUP, Json, ResourceType
from machine.drivers.cloud.requests import filled
from machine.drivers.cloud.user_data import UserDataLimits

USER_DATA = UserDataLimits("Azure", "--azure-custom-data", 65535)  # before base64
MADE_BY = {"made-by": "machine"}  # on what machines share

Tags = Mapping[str, str]


def names(config: Config, machine: str) -> dict[ResourceType, str]:
    """The names of everything that is one machine's own. docker-machine named them after the machine alone."""
    base = config.resource_name or machine
    return {
        MACHINE: base,
        INTERFACE: f"{base}-nic",
        ADDRESS: f"{base}-ip",
        SECURITY_GROUP: f"{base}-firewall",
        DISK: config.disk_name or f"{base}-os",
    }


def tags(config: Config, machine: str, machine_id: str) -> dict[str, str]:
    """What every object of one machine carries."""
    return {**config.tags_by_key, **MADE_BY, "machine-id": machine_id, "machine-name": machine}


def group(config: Config) -> Json:
    """The resource group."""
    return {"location": config.location, "tags": dict(MADE_BY)}


def availability_set(config: Config) -> Json:
    """A set for machines with managed disks."""
    counts = {"platformFaultDomainCount": config.fault_domains, "platformUpdateDomainCount": config.update_domains}
    return _resource(config, MADE_BY, counts, sku={"name": "Aligned"})


def subnet(config: Config) -> Json:
    """A subnet out of which machines without a public address reach the world, as they used to."""
    properties = {"addressPrefix": config.subnet_prefix, "defaultOutboundAccess": True}
    return {"name": config.subnet, "properties": properties}


def network(config: Config) -> Json:
    """A virtual network with that subnet."""
    space = {"addressPrefixes": [config.subnet_prefix]}
    return _resource(config, MADE_BY, {"addressSpace": space, "subnets": [subnet(config)]})


def security_group(config: Config, tags: Tags, rules: Sequence[Any]) -> Json:
    """The machine's firewall."""
    return _resource(config, tags, {"securityRules": list(rules)})


def address(config: Config, tags: Tags) -> Json:
    """A Standard public address: static, and closed but for what the security group opens."""
    properties: Json = {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"}
    if config.dns_label:
        properties["dnsSettings"] = {"domainNameLabel": config.dns_label}
    return _resource(config, tags, properties, sku={"name": "Standard"}, zones=_zones(config))


def interface(config: Config, tags: Tags) -> Json:
    """The network interface, in the subnet, behind the firewall, with the address."""
    inner = {
        "subnet": {"id": config.subnet_id},
        "privateIPAllocationMethod": "Static" if config.fixed_private_ip else "Dynamic",
        "privateIPAddress": config.fixed_private_ip,
        "publicIPAddress": filled({"id": config.public_ip_id}),
    }
    properties = {
        "enableAcceleratedNetworking": config.accelerated_networking,
        "networkSecurityGroup": {"id": config.nsg_id},
        "ipConfigurations": [{"name": "primary", "properties": filled(inner)}],
    }
    return _resource(config, tags, properties)


def machine(config: Config, tags: Tags, *, disk: str, hostname: str, key: str, user_data: str) -> Json:
    """The virtual machine. Its disk goes with it."""
    properties: Json = {
        "hardwareProfile": {"vmSize": config.size},
        "storageProfile": {"imageReference": _image(config.image), "osDisk": _disk(config, disk)},
        "osProfile": _system(config.ssh_user, hostname, key, user_data),
        "networkProfile": {"networkInterfaces": [{"id": config.nic_id, "properties": {"primary": True}}]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        "availabilitySet": filled({"id": config.availability_set_id}),
    }
    if config.spot:
        price = float(config.spot_max_price or -1)  # -1: up to the ordinary price
        properties |= {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": price}}
    plan = dict(zip(("publisher", "product", "name"), config.plan.split(":"), strict=True)) if config.plan else {}
    identity = _identity(config.identities)
    return _resource(config, tags, properties, zones=_zones(config), plan=plan, identity=identity)


def _resource(config: Config, tags: Tags, properties: Json, **more: Any) -> Json:
    """A body for PUT; what is empty is left out."""
    return filled({"location": config.location, "tags": dict(tags), "properties": filled(properties), **more})


def _zones(config: Config) -> list[str]:
    return [config.availability_zone] if config.availability_zone else []


def _image(text: str) -> dict[str, str]:
    """An imageReference: publisher:offer:sku:version, or an id under the key for its kind."""
    if not text.startswith("/"):
        return dict(zip(("publisher", "offer", "sku", "version"), text.split(":"), strict=True))
    keys = {"communitygalleries": "communityGalleryImageId", "sharedgalleries": "sharedGalleryImageId"}
    return {keys.get(text.split("/")[1].lower(), "id"): text}


def _disk(config: Config, name: str) -> Json:
    return {
        "name": name,
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "deleteOption": "Delete",
        "diskSizeGB": config.disk_size,
        "managedDisk": {"storageAccountType": config.storage_type},
    }


def _system(user: str, hostname: str, key: str, user_data: str) -> Json:
    """An osProfile: who may log in with which key, and what cloud-init is told."""
    keys = [{"path": f"/home/{user}/.ssh/authorized_keys", "keyData": key}]
    found = {
        "computerName": hostname,
        "adminUsername": user,
        "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}},
        "customData": base64.b64encode(user_data.encode()).decode(),
    }
    return filled(found)


def _identity(wanted: Sequence[str]) -> Json:
    """A machine's identity: the system's own, if that is wanted, and those that users have made."""
    assigned: Json = {identity: {} for identity in wanted if identity.lower() != "system"}
    kinds = ["SystemAssigned"] if len(assigned) < len(wanted) else []
    kinds += ["UserAssigned"] if assigned else []
    return filled({"type": ", ".join(kinds), "userAssignedIdentities": assigned})
