"""The read-only look before a create: does what was asked for exist, and which of it is meant.

What is found (image, plan, fault domains, ids of what exists) is written into the config, so that create need not ask
again. Every refusal names the flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.azure import images, resources
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.errors import ADVICE, ERRORS, BadAvailabilitySet
from machine.drivers.azure.resources import Json
from machine.drivers.cloud import ports, quota
from machine.drivers.cloud.errors import BadRegion, refuse
from machine.drivers.cloud.firewall import ALL, Rule, reaches
from machine.drivers.cloud.quota import Quota

UBUNTU = "Canonical:ubuntu-24_04-lts:{}:latest"
BY_PROCESSOR = {"x64": UBUNTU.format("server"), "Arm64": UBUNTU.format("server-arm64")}
ADDRESSES = ("standardskupublicipaddresses", "ipv4standardskupublicipaddresses", "publicipaddresses")


def preflight(api: Api, config: Config) -> None:
    """Ask, and settle in `config` what was left open; PreflightFailed or a CloudError."""
    sizes = api.sizes()  # the first call: credentials and subscription are good when it answers
    size = size_of(sizes, config)
    check_zone(size, config)
    check_abilities(size, config)
    most = capability(sku(sizes, "availabilitySets", "Aligned") or {}, "MaximumPlatformFaultDomainCount")
    config.fault_domains = min(config.fault_domains, int(most or 0) or config.fault_domains)  # what the region has
    _image(api, config, size)
    _check_quota(api, config, size)
    _check_group(api, config)
    _check_network(api, config)
    if config.nsg:
        _security_group(api, config)
    if config.dns_label and not api.label_is_free(config.dns_label):
        refuse(f"the DNS label {config.dns_label} is taken in {config.location}", "choose another --azure-dns")
    config.looked_up = True


def capability(sku: Mapping[str, Any], name: str) -> str:
    """A capability of a ResourceSku, "" if it does not say."""
    return next((str(c.get("value")) for c in sku.get("capabilities") or [] if c.get("name") == name), "")


def size_of(sizes: list[Json], config: Config) -> Json:
    """The ResourceSku of the machine's size, whose name is written as Azure writes it."""
    place = config.location
    if not sizes:
        raise ERRORS.error(BadRegion, f"Azure offers nothing in {place}")
    found = sku(sizes, "virtualMachines", config.size)
    if found is None:
        advice = f"choose another --azure-size (az vm list-sizes --location {place}) or --azure-location"
        refuse(f"there is no size {config.size} in {place}", advice)
    config.size = str(found["name"])
    return found


def sku(skus: list[Json], kind: str, name: str) -> Json | None:
    """The ResourceSku of that kind and name, in whatever letters, None if there is none."""
    wanted = (kind, name.lower())
    return next((one for one in skus if (one.get("resourceType"), str(one.get("name")).lower()) == wanted), None)


def check_zone(size: Mapping[str, Any], config: Config) -> None:
    """The size can be had in the region, and in the zone if one is given."""
    place, zone = f"the size {config.size} cannot be had in {config.location}", config.availability_zone
    for restriction in size.get("restrictions") or []:
        closed = [str(one) for one in (restriction.get("restrictionInfo") or {}).get("zones") or []]
        if restriction.get("type") == "Location" or (zone and zone in closed):
            brief = f"{place}, zone {zone}" if zone in closed else place
            advice = "choose another --azure-size, --azure-location or --azure-availability-zone"
            refuse(brief, advice, details=f"Azure's reason: {restriction.get('reasonCode')}")
    zones = sorted(str(one) for info in size.get("locationInfo") or [] for one in info.get("zones") or [])
    if zone and zone not in zones:
        choice = ", ".join(zones) or "none"
        refuse(f"{place}, zone {zone}", f"give --azure-availability-zone one of {choice}, or leave it out")


def check_abilities(size: Mapping[str, Any], config: Config) -> None:
    """The size goes with a spot machine, accelerated networking and the kind of disk, where they are wanted."""
    for flag, wanted, name in (
        ("spot", config.spot, "LowPriorityCapable"),
        ("accelerated-networking", config.accelerated_networking, "AcceleratedNetworkingEnabled"),
    ):
        if wanted and capability(size, name) == "False":
            advice = f"leave out --azure-{flag}, or choose another --azure-size"
            refuse(f"the size {config.size} cannot go with --azure-{flag}", advice)
    if config.storage_type.lower().startswith("premium") and capability(size, "PremiumIO") == "False":
        refuse(
            f"the size {config.size} takes no disk of the kind {config.storage_type}",
            "choose another --azure-storage-type (StandardSSD_LRS), or a size with an s in its name for --azure-size",
        )


def _check_group(api: Api, config: Config) -> None:
    """The group is not on its way out, and a set in it takes this machine.

    docker-machine's own sets, for disks in storage accounts, do not.
    https://learn.microsoft.com/azure/virtual-machines/availability-set-overview
    """
    group, name = api.get(resources.RESOURCE_GROUP, config.resource_group), config.availability_set_name
    if group and resources.provisioning_state(group) == "Deleting":
        advice = "wait until it is gone, or give another --azure-resource-group"
        refuse(f"the resource group {config.resource_group} is being deleted", advice)
    found = api.get(resources.AVAILABILITY_SET, config.resource_group, name) if group and name else None
    if found is None:
        return
    kind = str((found.get("sku") or {}).get("name") or "Classic")  # as Azure takes one without
    if kind.lower() != "aligned":
        brief = f"the availability set {name} takes no machines with managed disks, and Azure has no others any more"
        text = f"its sku is {kind}, as docker-machine made them; Aligned is needed"
        raise ERRORS.error(BadAvailabilitySet, brief, text)
    advice = f"{ADVICE[BadAvailabilitySet]}; or another --azure-resource-group or --azure-location"
    images.check_location(f"the availability set {name}", found, config, advice)


def _image(api: Api, config: Config, size: Mapping[str, Any]) -> None:
    """The image exists, and goes with the size and the disk; its name and its plan are written down."""
    processor = capability(size, "CpuArchitectureType") or "x64"
    wanted = config.image or BY_PROCESSOR.get(processor, BY_PROCESSOR["x64"])
    found = images.find(api, config, wanted)
    _check_image(f"the image {wanted}", found, config, size, processor)
    plan = found.get("plan") or found.get("purchasePlan")  # published ones have the first, galleries' the second
    if plan and not config.plan:
        config.plan = f"{plan.get('publisher')}:{plan.get('product')}:{plan.get('name')}"
    config.image = wanted


def _check_image(image: str, found: Mapping[str, Any], config: Config, size: Mapping[str, Any], processor: str) -> None:
    """An image of these properties goes with the machine."""
    disk = (found.get("storageProfile") or {}).get("osDisk") or {}  # of an own image
    if "windows" in (str(word).lower() for word in (found.get("osType"), disk.get("osType"))):
        refuse(f"{image} is Windows", "give --azure-image one with Linux")
    if "specialized" in (str(word).lower() for word in (found.get("osState"), disk.get("osState"))):
        brief = f"{image} is specialized: it takes neither a login nor cloud-init's data"
        refuse(brief, "give --azure-image a generalized one")
    architecture = found.get("architecture") or processor
    if architecture != processor:
        brief = f"{image} is for {architecture}, the size {config.size} for {processor}"
        refuse(brief, "choose another --azure-size, or leave --azure-image out")
    generation, possible = str(found.get("hyperVGeneration") or ""), capability(size, "HyperVGenerations")
    if generation and possible and generation not in possible.split(","):
        brief = f"{image} needs a machine of generation {generation}, {config.size} is {possible}"
        refuse(brief, "choose another --azure-size, or an image of its generation (often ...-gen1 or ...-gen2)")
    least = int((found.get("osDiskImage") or {}).get("sizeInGb") or disk.get("diskSizeGB") or 0)
    if least > config.disk_size:
        refuse(f"{image} needs a disk of {least} GB", f"give --azure-disk-size {least} or more")


def _check_quota(api: Api, config: Config, size: Mapping[str, Any]) -> None:
    """Raises QuotaExceeded if processors or addresses are used up."""
    of_size = ("lowprioritycores",) if config.spot else ("cores", str(size.get("family")).lower())
    needed = dict.fromkeys(of_size, ("processors", int(capability(size, "vCPUs") or 0)))
    if not config.no_public_ip:
        needed |= dict.fromkeys(ADDRESSES, ("public addresses", 1))
    for usage in api.usages():
        name = usage.get("name") or {}
        what, count = needed.get(str(name.get("value")).lower(), ("", 0))
        if what:
            found = Quota(what, int(usage.get("currentValue") or 0), int(usage.get("limit") or 0), count)
            text = f"quota {name.get('localizedValue') or name.get('value')} in {config.location}"
            quota.check(ERRORS, "the subscription", [found], "the machine", text)


def _check_network(api: Api, config: Config) -> None:
    """A network that is there has the subnet, or room for it."""
    group, name = config.network_path
    found = api.get(resources.NETWORK, group, name)
    if found is None:
        if config.network_must_exist:
            brief = f"there is no network {name} in the resource group {group}"
            refuse(brief, "check --azure-vnet; without GROUP: it is made")
        return
    advice = "give another --azure-vnet, --azure-resource-group or --azure-location"
    images.check_location(f"the network {name}", found, config, advice)
    subnet, fixed = resources.find_subnet(found, config.subnet), config.fixed_private_ip
    if subnet is not None:
        prefix = str(resources.properties(subnet).get("addressPrefix") or "")
        if fixed and prefix and not reaches(fixed, [prefix]):
            brief = f"the subnet {config.subnet} ({prefix}) does not hold the address {fixed}"
            refuse(brief, "check --azure-private-ip-address and --azure-subnet")
        return
    if config.network_must_exist:
        refuse(f"the network {name} has no subnet {config.subnet}", "check --azure-subnet")
    wanted = Rule(ALL, ports.network(config.subnet_prefix))
    space = [str(text) for text in resources.properties(found, "addressSpace").get("addressPrefixes") or []]
    if not any(Rule(ALL, whole).covers(wanted) for whole in space):
        brief = f"the network {config.vnet} has no room for the subnet {wanted.source}"
        advice = "give --azure-subnet-prefix a part of that, or --azure-subnet one that exists"
        refuse(brief, advice, details="it has " + ", ".join(space))


def _security_group(api: Api, config: Config) -> None:
    """The id of the security group that was named, by name or id."""
    parts = resources.id_parts(config.nsg)
    group = parts.get("resourcegroups", config.resource_group)
    name = parts.get("networksecuritygroups", config.nsg)
    found = api.get(resources.SECURITY_GROUP, group, name)
    if found is None:
        brief = f"there is no network security group {name} in the resource group {group}"
        refuse(brief, "check --azure-nsg; without it the machine gets one of its own")
    advice = "give another --azure-nsg or none: the machine then gets one of its own; or --azure-location"
    images.check_location(f"the network security group {name}", found, config, advice)
    config.nsg_id = str(found["id"])
