"""Kinds of resources of Azure, as the SDK has them, and what the answers about resources say. Pure.

https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations: provisioningState.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
ENDED = ("", "Succeeded", "Failed", "Canceled")  # provisioningState of what nothing is going on with


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One kind of resource."""

    label: str  # what messages call it
    client: str  # of sdk.CLIENTS
    operations: str  # the client's attribute
    key: str = "id"  # what every answer has

    @property
    def arm_type(self) -> str:
        """What ARM's index calls it, in small letters."""
        return f"microsoft.{self.client}/{self.operations.replace('_', '')}"


RESOURCE_GROUP = ResourceType("resource group", "resources", "resource_groups")
AVAILABILITY_SET = ResourceType("availability set", "compute", "availability_sets")
NETWORK = ResourceType("network", "network", "virtual_networks")
SUBNET = ResourceType("subnet", "network", "subnets")
SECURITY_GROUP = ResourceType("security group", "network", "network_security_groups")
ADDRESS = ResourceType("public address", "network", "public_ip_addresses")
INTERFACE = ResourceType("network interface", "network", "network_interfaces")
MACHINE = ResourceType("machine", "compute", "virtual_machines")
DISK = ResourceType("disk", "compute", "disks")
PUBLISHED_IMAGE = ResourceType("image", "compute", "virtual_machine_images")
OWN_IMAGE = ResourceType("image", "compute", "images")
GALLERY_IMAGE = ResourceType("gallery image", "compute", "gallery_images")
SHARED_IMAGE = ResourceType("shared image", "compute", "shared_gallery_images", key="name")
COMMUNITY_IMAGE = ResourceType("community image", "compute", "community_gallery_images", key="name")


def id_parts(resource_id: str) -> dict[str, str]:
    """The parts of a resource's id by what they are, in small letters (resourcegroups, images, ...); {} for a name."""
    parts = resource_id.strip("/").split("/")
    return {kind.lower(): name for kind, name in zip(parts[::2], parts[1::2], strict=False)}


def properties(thing: Mapping[str, Any] | None, *keys: str) -> Json:
    """The properties of a resource, or what is under these keys in them; {} where there is none."""
    found = (thing or {}).get("properties") or {}
    for key in keys:
        found = found.get(key) or {}
    return dict(found)


def provisioning_state(thing: Mapping[str, Any]) -> str:
    """How far Azure is with a resource: Succeeded, Failed, Updating, Deleting, ...; "" where it does not tell."""
    return str(properties(thing).get("provisioningState") or "")


def has_failed(thing: Mapping[str, Any]) -> bool:
    """Whether Azure has given up making or changing a resource."""
    return provisioning_state(thing) in ("Failed", "Canceled")


def in_progress(*things: Mapping[str, Any]) -> list[str]:
    """Return a line for each resource that Azure is still at."""
    states = [(thing.get("name"), provisioning_state(thing)) for thing in things]
    return [f"{name} is {state}" for name, state in states if state not in ENDED]


def find_subnet(network: Mapping[str, Any], name: str) -> Json | None:
    """Return the subnet of that name in a network, None if there is none."""
    subnets: list[Json] = network.get("properties", {}).get("subnets") or []
    return next((subnet for subnet in subnets if subnet.get("name") == name), None)


def power_state(machine: Mapping[str, Any]) -> str:
    """What a machine does: running, deallocated, ..., in small letters; "" where Azure does not tell."""
    codes = [str(status.get("code") or "") for status in _statuses(machine)]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "").lower()


def failure_of(machine: Mapping[str, Any]) -> str:
    """Why a machine could not be made, in Azure's words."""
    for status in _statuses(machine):
        if str(status.get("code", "")).lower().startswith("provisioningstate/failed"):
            return str(status.get("message") or status.get("code"))
    return "its provisioning failed"


def private_address(interface: Mapping[str, Any] | None) -> str:
    """The private address of a network interface, "" while it has none."""
    configs: list[Json] = properties(interface).get("ipConfigurations") or []
    addresses = [str(properties(config).get("privateIPAddress") or "") for config in configs]
    return next((address for address in addresses if address), "")


def _statuses(machine: Mapping[str, Any]) -> list[Json]:
    return list(properties(machine, "instanceView").get("statuses") or [])
