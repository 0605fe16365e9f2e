"""The read-only look before a create: does what was asked for exist, and which of it is meant.

What is found (image, plan, fault domains, ids of what exists) is written into the Driver object, so that create need
not ask again. Every refusal names the flag.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import client, config, images
from machine.drivers.azure.client import Api
from machine.errors import PreflightFailed

UBUNTU = "Canonical:ubuntu-24_04-lts:{}:latest"
BY_PROCESSOR = {"x64": UBUNTU.format("server"), "Arm64": UBUNTU.format("server-arm64")}
ADDRESSES = ("standardskupublicipaddresses", "ipv4standardskupublicipaddresses", "publicipaddresses")


def preflight(api: Api, data: dict[str, Any]) -> None:
    """Ask, and settle in `data` what was left open; PreflightFailed or a CloudError."""
    sizes = api.sizes()  # the first call: credentials and subscription are good when it answers
    size = _size(sizes, data)
    _domains(sizes, data)
    _image(api, data, size)
    _quota(api, data, size)
    if _group(api, data):
        _set(api, data)
    _network(api, data)
    _firewall(api, data)
    if data.get("DNSLabel") and not api.label_is_free(data["DNSLabel"]):
        raise PreflightFailed(
            f"the DNS label {data['DNSLabel']} is taken in {data['Location']}", resolution="choose another --azure-dns"
        )
    data["Surveyed"] = True


def capability(sku: Mapping[str, Any], name: str) -> str:
    """A capability of a ResourceSku, "" if it does not say."""
    return next((str(c.get("value")) for c in sku.get("capabilities") or [] if c.get("name") == name), "")


def _size(sizes: list[dict[str, Any]], data: dict[str, Any]) -> dict[str, Any]:
    place, wanted = data["Location"], str(data["Size"])
    if not sizes:
        raise PreflightFailed(
            f"Azure offers nothing in {place}", resolution="check --azure-location (az account list-locations)"
        )
    machines = [sku for sku in sizes if sku.get("resourceType") == "virtualMachines"]
    size = next((sku for sku in machines if str(sku.get("name")).lower() == wanted.lower()), None)
    if size is None:
        raise PreflightFailed(
            f"there is no size {wanted} in {place}",
            resolution=f"choose another --azure-size (az vm list-sizes --location {place}) or --azure-location",
        )
    data["Size"] = size["name"]
    zone = str(data.get("AvailabilityZone") or "")
    for restriction in size.get("restrictions") or []:
        closed = [str(z) for z in (restriction.get("restrictionInfo") or {}).get("zones") or []]
        if restriction.get("type") == "Location" or (zone and zone in closed):
            raise PreflightFailed(
                f"the size {size['name']} cannot be had in {place}" + (f", zone {zone}" if zone in closed else ""),
                details=f"Azure's reason: {restriction.get('reasonCode')}",
                resolution="choose another --azure-size, --azure-location or --azure-availability-zone",
            )
    zones = sorted(str(z) for info in size.get("locationInfo") or [] for z in info.get("zones") or [])
    if zone and zone not in zones:
        raise PreflightFailed(
            f"the size {size['name']} cannot be had in {place}, zone {zone}",
            resolution=f"give --azure-availability-zone one of {', '.join(zones) or 'none'}, or leave it out",
        )
    for flag, key, name in (
        ("spot", "Spot", "LowPriorityCapable"),
        ("accelerated-networking", "AcceleratedNetworking", "AcceleratedNetworkingEnabled"),
    ):
        if data.get(key) and capability(size, name) == "False":
            raise PreflightFailed(
                f"the size {size['name']} cannot go with --azure-{flag}",
                resolution=f"leave out --azure-{flag}, or choose another --azure-size",
            )
    kind = str(data.get("StorageType") or "")
    if kind.lower().startswith("premium") and capability(size, "PremiumIO") == "False":
        raise PreflightFailed(
            f"the size {size['name']} takes no disk of the kind {kind}",
            resolution="choose another --azure-storage-type (StandardSSD_LRS), or a size with an s in its name for "
            "--azure-size",
        )
    return size


def _domains(sizes: list[dict[str, Any]], data: dict[str, Any]) -> None:
    """No more fault domains than the region has."""
    most = [
        int(capability(sku, "MaximumPlatformFaultDomainCount") or 0)
        for sku in sizes
        if sku.get("resourceType") == "availabilitySets" and sku.get("name") == "Aligned"
    ]
    if most and most[0]:
        data["FaultCount"] = min(int(data.get("FaultCount") or 2), most[0])


def _set(api: Api, data: Mapping[str, Any]) -> None:
    """A set that is there already must take this machine: docker-machine's own, for disks in storage accounts, do not.

    https://learn.microsoft.com/azure/virtual-machines/availability-set-overview
    """
    name = config.availability_set(data)
    found = api.get(client.AVAILABILITY_SET, data["ResourceGroup"], name) if name else None
    if found is None:
        return
    advice = "give another --azure-availability-set, or --azure-availability-set none"
    sku = str((found.get("sku") or {}).get("name") or "Classic")  # as Azure takes one without
    if sku.lower() != "aligned":
        raise PreflightFailed(
            f"the availability set {name} takes no machines with managed disks, and Azure has no others any more",
            details=f"its sku is {sku}, as docker-machine made them; Aligned is needed",
            resolution=advice,
        )
    if not _here(found, data):
        raise PreflightFailed(
            f"the availability set {name} is in {found.get('location')}, the machine shall be in {data['Location']}",
            resolution=f"{advice}; or another --azure-resource-group or --azure-location",
        )


def _here(thing: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether it is in the machine's region; `West US` and `westus` are the same."""
    return bool(str(thing.get("location")).replace(" ", "").lower() == data["Location"])


def _image(api: Api, data: dict[str, Any], size: Mapping[str, Any]) -> None:
    processor = capability(size, "CpuArchitectureType") or "x64"
    wanted = str(data.get("Image") or BY_PROCESSOR.get(processor, BY_PROCESSOR["x64"]))
    image = images.named(api, data, wanted) if wanted.startswith("/") else images.published(api, data, wanted)
    found = dict(image.get("properties") or {})
    disk = (found.get("storageProfile") or {}).get("osDisk") or {}  # of an own image
    if "windows" in (str(word).lower() for word in (found.get("osType"), disk.get("osType"))):
        raise PreflightFailed(f"the image {wanted} is Windows", resolution="give --azure-image one with Linux")
    if "specialized" in (str(word).lower() for word in (found.get("osState"), disk.get("osState"))):
        raise PreflightFailed(
            f"the image {wanted} is specialized: it takes neither a login nor cloud-init's data",
            resolution="give --azure-image a generalized one",
        )
    if found.get("architecture") and found["architecture"] != processor:
        raise PreflightFailed(
            f"the image {wanted} is for {found['architecture']}, the size {size['name']} for {processor}",
            resolution="choose another --azure-size, or leave --azure-image out",
        )
    generation = str(found.get("hyperVGeneration") or "")
    possible = capability(size, "HyperVGenerations")
    if generation and possible and generation not in possible.split(","):
        raise PreflightFailed(
            f"the image {wanted} needs a machine of generation {generation}, {size['name']} is {possible}",
            resolution="choose another --azure-size, or an image of its generation (often ...-gen1 or ...-gen2)",
        )
    least = int((found.get("osDiskImage") or {}).get("sizeInGb") or disk.get("diskSizeGB") or 0)
    if least > int(data["DiskSize"]):
        raise PreflightFailed(
            f"the image {wanted} needs a disk of {least} GB", resolution=f"give --azure-disk-size {least} or more"
        )
    plan = found.get("plan") or found.get("purchasePlan") or {}  # published ones have the first, galleries' the second
    if plan and not data.get("Plan"):
        data["Plan"] = f"{plan.get('publisher')}:{plan.get('product')}:{plan.get('name')}"
    data["Image"] = wanted


def _quota(api: Api, data: Mapping[str, Any], size: Mapping[str, Any]) -> None:
    """Refuse when processors or addresses are used up."""
    usages = {str((u.get("name") or {}).get("value")).lower(): u for u in api.usages()}
    needed = int(capability(size, "vCPUs") or 0)
    of_size = ["lowprioritycores"] if data.get("Spot") else ["cores", str(size.get("family")).lower()]
    wanted = [(name, needed, "processors", "a smaller --azure-size") for name in of_size]
    if not data.get("NoPublicIP"):
        wanted += [(name, 1, "public addresses", "--azure-no-public-ip") for name in ADDRESSES]
    for name, count, what, way in wanted:
        usage = usages.get(name)
        if usage is None:
            continue
        used, limit = int(usage.get("currentValue") or 0), int(usage.get("limit") or 0)
        if used + count > limit:
            raise PreflightFailed(
                f"the machine needs {count} of the {limit} {what} of the subscription, and {used} are in use",
                details=f"quota {(usage.get('name') or {}).get('localizedValue') or name} in {data['Location']}",
                resolution=f"choose {way} or another --azure-location, or ask for more in the portal under Quotas",
            )


def _group(api: Api, data: Mapping[str, Any]) -> bool:
    """Whether it is there."""
    found = api.get(client.GROUP, data["ResourceGroup"])
    if found and (found.get("properties") or {}).get("provisioningState") == "Deleting":
        raise PreflightFailed(
            f"the resource group {data['ResourceGroup']} is being deleted",
            resolution="wait until it is gone, or give another --azure-resource-group",
        )
    return found is not None


def _network(api: Api, data: dict[str, Any]) -> None:
    group, name, must_exist = config.network_place(data)
    found = api.get(client.NETWORK, group, name)
    if found is None:
        if must_exist:
            raise PreflightFailed(
                f"there is no network {name} in the resource group {group}",
                resolution="check --azure-vnet; without GROUP: it is made",
            )
        return
    if not _here(found, data):
        raise PreflightFailed(
            f"the network {name} is in {found.get('location')}, the machine shall be in {data['Location']}",
            resolution="give another --azure-vnet, --azure-resource-group or --azure-location",
        )
    inner = found.get("properties") or {}
    subnet = client.find_subnet(found, data["SubnetName"])
    if subnet is None:
        if must_exist:
            raise PreflightFailed(
                f"the network {name} has no subnet {data['SubnetName']}", resolution="check --azure-subnet"
            )
        _fits(data, inner)
        return
    prefix = str((subnet.get("properties") or {}).get("addressPrefix") or "")
    fixed = data.get("PrivateIPAddr")
    if fixed and prefix and ipaddress.ip_address(fixed) not in ipaddress.ip_network(prefix):
        raise PreflightFailed(
            f"the subnet {data['SubnetName']} ({prefix}) does not hold the address {fixed}",
            resolution="check --azure-private-ip-address and --azure-subnet",
        )


def _fits(data: Mapping[str, Any], network: Mapping[str, Any]) -> None:
    wanted = ipaddress.ip_network(data["SubnetPrefix"])
    space = [ipaddress.ip_network(text) for text in (network.get("addressSpace") or {}).get("addressPrefixes") or []]
    if any(whole.version == wanted.version and wanted.subnet_of(whole) for whole in space):  # type: ignore[arg-type]
        return
    raise PreflightFailed(
        f"the network {data['VirtualNetwork']} has no room for the subnet {wanted}",
        details="it has " + ", ".join(map(str, space)),
        resolution="give --azure-subnet-prefix a part of that, or --azure-subnet one that exists",
    )


def _firewall(api: Api, data: dict[str, Any]) -> None:
    wanted = str(data.get("NSG") or "")
    if not wanted:
        return
    parts = wanted.strip("/").split("/")
    group, name = (parts[3], parts[-1]) if len(parts) > 7 else (str(data["ResourceGroup"]), wanted)
    found = api.get(client.SECURITY_GROUP, group, name)
    if found is None:
        raise PreflightFailed(
            f"there is no network security group {name} in the resource group {group}",
            resolution="check --azure-nsg; without it the machine gets one of its own",
        )
    if not _here(found, data):
        raise PreflightFailed(
            f"the network security group {name} is in {found.get('location')}, the machine shall be in "
            f"{data['Location']}",
            resolution="give another --azure-nsg or none: the machine then gets one of its own; or --azure-location",
        )
    data["NSGID"] = found["id"]
