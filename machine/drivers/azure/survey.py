"""The read-only look before a create: does what was asked for exist, and which of it is meant.

What is found (image, plan, fault domains, ids of what exists) is written into the Driver object, so that create need
not ask again. Every refusal names the flag.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import settings
from machine.drivers.azure.api import Api
from machine.errors import PreflightFailed

UBUNTU = "Canonical:ubuntu-24_04-lts:{}:latest"
BY_PROCESSOR = {"x64": UBUNTU.format("server"), "Arm64": UBUNTU.format("server-arm64")}
ADDRESSES = ("standardskupublicipaddresses", "ipv4standardskupublicipaddresses", "publicipaddresses")


def survey(api: Api, data: dict[str, Any]) -> None:
    """Ask, and settle in `data` what was left open; PreflightFailed or an AzureError."""
    sizes = api.sizes()  # the first call: credentials and subscription are good when it answers
    size = _size(sizes, data)
    _sets(sizes, data)
    _image(api, data, size)
    _quota(api, data, size)
    _group(api, data)
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
    return size


def _sets(sizes: list[dict[str, Any]], data: dict[str, Any]) -> None:
    """No more fault domains than the region has."""
    most = [
        int(capability(sku, "MaximumPlatformFaultDomainCount") or 0)
        for sku in sizes
        if sku.get("resourceType") == "availabilitySets" and sku.get("name") == "Aligned"
    ]
    if most and most[0]:
        data["FaultCount"] = min(int(data.get("FaultCount") or 2), most[0])


def _image(api: Api, data: dict[str, Any], size: Mapping[str, Any]) -> None:
    processor = capability(size, "CpuArchitectureType") or "x64"
    wanted = str(data.get("Image") or BY_PROCESSOR.get(processor, BY_PROCESSOR["x64"]))
    image = _own(api, wanted) if wanted.startswith("/") else _published(api, data, wanted)
    found = dict(image.get("properties") or {})
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
    least = int((found.get("osDiskImage") or {}).get("sizeInGb") or 0)
    if least > int(data["DiskSize"]):
        raise PreflightFailed(
            f"the image {wanted} needs a disk of {least} GB", resolution=f"give --azure-disk-size {least} or more"
        )
    plan = found.get("plan") or {}
    if plan and not data.get("Plan"):
        data["Plan"] = f"{plan.get('publisher')}:{plan.get('product')}:{plan.get('name')}"
    data["Image"] = wanted


def _published(api: Api, data: Mapping[str, Any], urn: str) -> dict[str, Any]:
    publisher, offer, sku, version = urn.split(":")
    if version == "latest":
        versions = api.image_versions(publisher, offer, sku)
        version = max(versions, key=_version, default="")
    found = api.image(publisher, offer, sku, version) if version else None
    if found is None:
        raise PreflightFailed(
            f"there is no image {urn} in {data['Location']}",
            resolution=f"check --azure-image (az vm image list --all --location {data['Location']} "
            f"--publisher {publisher}), or leave it out",
        )
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))


def _own(api: Api, image_id: str) -> dict[str, Any]:
    """An image by its id; {} for those of other subscriptions, which only the create itself can judge."""
    parts = image_id.strip("/").split("/")
    by_kind = {kind.lower(): name for kind, name in zip(parts[::2], parts[1::2], strict=False)}
    if by_kind.get("subscriptions", "").lower() != str(api.data["SubscriptionID"]).lower():
        return {}
    group, name = by_kind.get("resourcegroups", ""), by_kind.get("images", "")
    if "galleries" in by_kind:
        found = api.gallery_image(group, by_kind["galleries"], name)
    else:
        found = api.own_image(group, name)
    if found is None:
        raise PreflightFailed(f"there is no image {image_id}", resolution="check --azure-image (az image list)")
    return found


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


def _group(api: Api, data: Mapping[str, Any]) -> None:
    found = api.group(data["ResourceGroup"])
    if found and (found.get("properties") or {}).get("provisioningState") == "Deleting":
        raise PreflightFailed(
            f"the resource group {data['ResourceGroup']} is being deleted",
            resolution="wait until it is gone, or give another --azure-resource-group",
        )


def _network(api: Api, data: dict[str, Any]) -> None:
    group, name, must_exist = settings.network_place(data)
    found = api.network(group, name)
    if found is None:
        if must_exist:
            raise PreflightFailed(
                f"there is no network {name} in the resource group {group}",
                resolution="check --azure-vnet; without GROUP: it is made",
            )
        return
    if str(found.get("location")) != data["Location"]:
        raise PreflightFailed(
            f"the network {name} is in {found.get('location')}, the machine shall be in {data['Location']}",
            resolution="give another --azure-vnet, --azure-resource-group or --azure-location",
        )
    inner = found.get("properties") or {}
    subnet = next((s for s in inner.get("subnets") or [] if s.get("name") == data["SubnetName"]), None)
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
    found = api.security_group(group, name)
    if found is None:
        raise PreflightFailed(
            f"there is no network security group {name} in the resource group {group}",
            resolution="check --azure-nsg; without it the machine gets one of its own",
        )
    data["NSGID"] = found["id"]
