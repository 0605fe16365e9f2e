"""What machines share: resource group, availability set, network, subnet.

Made by the first machine that needs it, under the name that was given; removed with the last one. Only what carries
our tag is ever removed. Both happen under one lock of the store, and Azure itself refuses to remove a set or a network
that somebody of another store uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from machine.drivers.azure import config, requests
from machine.drivers.azure.client import Api
from machine.drivers.azure.errors import ERRORS
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors


def lock_name(data: Mapping[str, Any]) -> str:
    """One lock for all that a resource group holds."""
    return f"azure-{str(data['ResourceGroup']).lower()}"


def ensure(api: Api, data: dict[str, Any], ctx: DriverContext, save: Callable[[], None]) -> None:
    """All of it exists; `save` writes each id down as soon as it is known."""
    group = str(data["ResourceGroup"])
    with ctx.lock(lock_name(data)):
        if api.group(group) is None:
            api.put_group(group, requests.group(data))
        name = config.availability_set(data)
        if name:
            there = api.availability_set(group, name)
            there = there or api.put_availability_set(group, name, requests.availability_set(data))
            data["AvailabilitySetID"] = there["id"]
            save()
        data["SubnetID"] = _subnet(api, data, ctx, save)
        save()


def _subnet(api: Api, data: dict[str, Any], ctx: DriverContext, save: Callable[[], None]) -> str:
    """The id of the subnet, made if need be, with its network if need be."""
    group, name, must_exist = config.network_place(data)
    network = api.network(group, name)
    if network is None and not must_exist:
        network = api.put_network(group, name, requests.network(data))
    subnets = ((network or {}).get("properties") or {}).get("subnets") or []
    found = next((subnet for subnet in subnets if subnet.get("name") == data["SubnetName"]), None)
    if found is not None:
        data["MadeSubnet"] = any(other.get("MadeSubnet") for other in _same_network(data, _others(data, ctx)))
        return str(found["id"])
    if must_exist:
        raise ERRORS.error(errors.BadNetwork, f"there is no subnet {data['SubnetName']} in the network {name}")
    data["MadeSubnet"] = True  # in a network that is not ours
    save()
    return str(api.put_subnet(group, name, data["SubnetName"], requests.subnet(data))["id"])


def delete_unused(api: Api, data: dict[str, Any], ctx: DriverContext, save: Callable[[], None], own: set[str]) -> None:
    """Remove what no machine uses any more. `own` are names, in small letters, of the machine's things that are gone.

    The machine is marked as removed before the others are looked at: of two that go at once, the second cleans up.
    """
    group = str(data["ResourceGroup"])
    with ctx.lock(lock_name(data)):
        data["Removed"] = True
        save()
        others = _others(data, ctx)
        gone = set(own)
        if not _same_network(data, others):
            gone |= _tidy_network(api, data)
        name = config.availability_set(data)
        if name and not any(config.availability_set(other) == name for other in others):
            gone |= _tidy_set(api, group, name)
        if not others:
            _tidy_group(api, group, gone)


def _tidy_network(api: Api, data: Mapping[str, Any]) -> set[str]:
    group, name, must_exist = config.network_place(data)
    network = None if must_exist else api.network(group, name)
    if network is None:
        return {name.lower()}
    try:
        if _ours(network):
            api.delete_network(group, name)
            return {name.lower()}
        if data.get("MadeSubnet"):
            api.delete_subnet(group, name, str(data["SubnetName"]))
    except errors.InUse:
        pass  # by somebody of another store, or by hand
    return set()


def _tidy_set(api: Api, group: str, name: str) -> set[str]:
    found = api.availability_set(group, name)
    try:
        if found is not None and _ours(found):
            api.delete_availability_set(group, name)
    except errors.InUse:
        return set()
    return {name.lower()} if found is None or _ours(found) else set()


def _tidy_group(api: Api, group: str, gone: set[str]) -> None:
    """Deleting a group deletes what is in it: only an empty one of ours. ARM's index may still show what just went."""
    found = api.group(group)
    if found is None or not _ours(found) or (found.get("properties") or {}).get("provisioningState") == "Deleting":
        return
    if any(str(thing.get("name")).lower() not in gone for thing in api.contents(group)):
        return
    if api.networks(group) or api.machines(group):  # those who make them know more than the index
        return
    api.delete_group(group)


def _ours(thing: Mapping[str, Any]) -> bool:
    carried = thing.get("tags") or {}
    return all(carried.get(key) == value for key, value in requests.MADE_BY.items())


def _others(data: Mapping[str, Any], ctx: DriverContext) -> list[dict[str, Any]]:
    """Machines of the store in the same resource group that are not removed."""
    place = ("SubscriptionID", "ResourceGroup")
    return [
        other
        for other in ctx.siblings()
        if not other.get("Removed") and all(str(other.get(key)).lower() == str(data.get(key)).lower() for key in place)
    ]


def _same_network(data: Mapping[str, Any], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [other for other in others if other.get("VirtualNetwork") == data.get("VirtualNetwork")]
