"""The bodies of what is made, as ARM's REST API takes them. Pure: the Driver object in, the request out.

https://learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update and its neighbours.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.azure import config
from machine.drivers.cloud.user_data import Rules

USER_DATA = Rules("Azure", "--azure-custom-data", 65535)  # before base64
MADE_BY = {"made-by": "machine"}  # on what machines share


def names(data: Mapping[str, Any], machine: str) -> dict[str, str]:
    """Kind -> name of everything that is one machine's own. docker-machine named them after the machine alone."""
    base = str(data.get("ResourceName") or machine)
    return {
        "vm": base,
        "nic": f"{base}-nic",
        "ip": f"{base}-ip",
        "nsg": f"{base}-firewall",
        "disk": str(data.get("DiskName") or f"{base}-os"),
    }


def tags(data: Mapping[str, Any], machine: str, machine_id: str) -> dict[str, str]:
    """What every object of one machine carries."""
    return {**config.tags(str(data.get("Tags") or "")), **MADE_BY, "machine-id": machine_id, "machine-name": machine}


def group(data: Mapping[str, Any]) -> dict[str, Any]:
    """The resource group."""
    return {"location": data["Location"], "tags": dict(MADE_BY)}


def availability_set(data: Mapping[str, Any]) -> dict[str, Any]:
    """A set for machines with managed disks."""
    return {
        "location": data["Location"],
        "tags": dict(MADE_BY),
        "sku": {"name": "Aligned"},
        "properties": {
            "platformFaultDomainCount": int(data.get("FaultCount") or 2),
            "platformUpdateDomainCount": int(data.get("UpdateCount") or 5),
        },
    }


def subnet(data: Mapping[str, Any]) -> dict[str, Any]:
    """A subnet out of which machines without a public address reach the world, as they used to."""
    return {
        "name": data["SubnetName"],
        "properties": {"addressPrefix": data["SubnetPrefix"], "defaultOutboundAccess": True},
    }


def network(data: Mapping[str, Any]) -> dict[str, Any]:
    """A virtual network with that subnet."""
    return {
        "location": data["Location"],
        "tags": dict(MADE_BY),
        "properties": {"addressSpace": {"addressPrefixes": [data["SubnetPrefix"]]}, "subnets": [subnet(data)]},
    }


def security_group(data: Mapping[str, Any], carried: Mapping[str, str], rules: Sequence[Any]) -> dict[str, Any]:
    """The machine's firewall."""
    return {"location": data["Location"], "tags": dict(carried), "properties": {"securityRules": list(rules)}}


def address(data: Mapping[str, Any], carried: Mapping[str, str]) -> dict[str, Any]:
    """A Standard public address: static, and closed but for what the security group opens."""
    found: dict[str, Any] = {
        "location": data["Location"],
        "tags": dict(carried),
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
    }
    if data.get("DNSLabel"):
        found["properties"]["dnsSettings"] = {"domainNameLabel": data["DNSLabel"]}
    if data.get("AvailabilityZone"):
        found["zones"] = [str(data["AvailabilityZone"])]
    return found


def interface(data: Mapping[str, Any], carried: Mapping[str, str]) -> dict[str, Any]:
    """The network interface, in the subnet, behind the firewall, with the address."""
    inner: dict[str, Any] = {"subnet": {"id": data["SubnetID"]}, "privateIPAllocationMethod": "Dynamic"}
    if data.get("PrivateIPAddr"):
        inner |= {"privateIPAllocationMethod": "Static", "privateIPAddress": data["PrivateIPAddr"]}
    if data.get("PublicIPID"):
        inner["publicIPAddress"] = {"id": data["PublicIPID"]}
    return {
        "location": data["Location"],
        "tags": dict(carried),
        "properties": {
            "enableAcceleratedNetworking": bool(data.get("AcceleratedNetworking")),
            "networkSecurityGroup": {"id": data["NSGID"]},
            "ipConfigurations": [{"name": "primary", "properties": inner}],
        },
    }


def image(data: Mapping[str, Any]) -> dict[str, str]:
    """An imageReference."""
    text = str(data["Image"])
    if text.startswith("/"):
        lower = text.lower()
        if lower.startswith("/communitygalleries/"):
            return {"communityGalleryImageId": text}
        return {"sharedGalleryImageId": text} if lower.startswith("/sharedgalleries/") else {"id": text}
    publisher, offer, sku, version = text.split(":")
    return {"publisher": publisher, "offer": offer, "sku": sku, "version": version}


def machine(
    data: Mapping[str, Any], carried: Mapping[str, str], *, disk: str, hostname: str, key: str, user_data: str
) -> dict[str, Any]:
    """The virtual machine. Its disk goes with it."""
    user = str(data["SSHUser"])
    keys = [{"path": f"/home/{user}/.ssh/authorized_keys", "keyData": key}]
    system: dict[str, Any] = {
        "computerName": hostname,
        "adminUsername": user,
        "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}},
    }
    if user_data:
        system["customData"] = base64.b64encode(user_data.encode()).decode()
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": data["Size"]},
        "storageProfile": {
            "imageReference": image(data),
            "osDisk": {
                "name": disk,
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "deleteOption": "Delete",
                "diskSizeGB": int(data["DiskSize"]),
                "managedDisk": {"storageAccountType": data["StorageType"]},
            },
        },
        "osProfile": system,
        "networkProfile": {"networkInterfaces": [{"id": data["NICID"], "properties": {"primary": True}}]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if data.get("AvailabilitySetID"):
        properties["availabilitySet"] = {"id": data["AvailabilitySetID"]}
    if data.get("Spot"):
        price = float(data.get("SpotMaxPrice") or -1)
        properties |= {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": price}}
    found: dict[str, Any] = {"location": data["Location"], "tags": dict(carried), "properties": properties}
    if data.get("AvailabilityZone"):
        found["zones"] = [str(data["AvailabilityZone"])]
    if data.get("Plan"):
        publisher, product, plan = str(data["Plan"]).split(":")
        found["plan"] = {"publisher": publisher, "product": product, "name": plan}
    if data.get("Identities"):
        found["identity"] = _identity([str(identity) for identity in data["Identities"]])
    return found


def _identity(wanted: Sequence[str]) -> dict[str, Any]:
    assigned: dict[str, Any] = {identity: {} for identity in wanted if identity.lower() != "system"}
    kinds = ["SystemAssigned"] * (len(assigned) < len(wanted)) + ["UserAssigned"] * bool(assigned)
    found: dict[str, Any] = {"type": ", ".join(kinds)}
    return {**found, "userAssignedIdentities": assigned} if assigned else found
