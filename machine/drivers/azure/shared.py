"""What machines share: resource group, availability set, network, subnet.

Made by the first machine that needs it, under the name that was given; removed with the last one. Only what carries
our tag is ever removed. Both happen under one lock of the store, and Azure itself refuses to remove a set or a network
that somebody of another store uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from machine.drivers.azure import client, config, requests
from machine.drivers.azure.client import Api
from machine.drivers.azure.errors import ERRORS
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.errors import InProgress


def lock_name(data: Mapping[str, Any]) -> str:
    """One lock for all that a resource group holds."""
    return f"azure-{str(data['ResourceGroup']).lower()}"


def in_progress(ctx: DriverContext, doing: str, lines: list[str]) -> InProgress:
    """The error for a create or removal that has to wait; `doing` is "making" or "removing"."""
    return InProgress(
        f"Azure is still {doing} {ctx.name}",
        details="\n".join(lines),
        resolution=f"machine rm {ctx.name} again removes the rest too" if doing == "removing" else "",
    )


def ensure(api: Api, data: dict[str, Any], ctx: DriverContext, save: Callable[[], None]) -> list[str]:
    """Ask for what is not there; return a line for each thing that Azure is still at.

    `save` writes each id down as soon as it is known.
    """
    group = str(data["ResourceGroup"])
    with ctx.lock(lock_name(data)):
        found = api.get(client.GROUP, group) or api.put(client.GROUP, group, body=requests.group(data))
        if client.provisioning_state(found) == "Deleting":  # a new one can be made after that
            raise in_progress(ctx, "making", client.in_progress(found))
        name = config.availability_set(data)
        if name:
            found = api.ensure(client.AVAILABILITY_SET, group, name, body=requests.availability_set(data))
            data["AvailabilitySetID"] = found["id"]
            save()
        return _ensure_subnet(api, data, ctx, save)


def _ensure_subnet(api: Api, data: dict[str, Any], ctx: DriverContext, save: Callable[[], None]) -> list[str]:
    """Ask for the subnet, and for its network, if they are not there. SubnetID is set once both can be used."""
    group, name, must_exist = config.network_place(data)
    network = api.get(client.NETWORK, group, name)
    if network is None and not must_exist:
        network = api.put(client.NETWORK, group, name, body=requests.network(data))
    network = network or {}
    api.raise_failure(client.NETWORK, group, name, found=network)
    subnet = client.find_subnet(network, str(data["SubnetName"]))
    if subnet is None and must_exist:
        raise ERRORS.error(errors.BadNetwork, f"there is no subnet {data['SubnetName']} in the network {name}")
    going_on = [] if must_exist else client.in_progress(network) or client.in_progress(subnet or {})
    if subnet is None and not going_on:
        data["MadeSubnet"] = True  # in a network that is not ours
        save()
        subnet = api.put(client.SUBNET, group, name, str(data["SubnetName"]), body=requests.subnet(data))
        going_on = client.in_progress(subnet)
    if subnet is not None and not going_on:
        made_by_machine = [data, *_same_network(data, _others(data, ctx))]
        data["MadeSubnet"] = any(one.get("MadeSubnet") for one in made_by_machine)
        data["SubnetID"] = subnet["id"]
        save()
    return going_on


def delete_unused(
    api: Api, data: dict[str, Any], ctx: DriverContext, save: Callable[[], None], own: set[str]
) -> list[str]:
    """Remove what no machine uses any more; return a line for each thing that Azure is still at.

    `own` are names, in small letters, of the machine's things that are gone. The machine is marked as removed before
    the others are looked at: of two that go at once, the second cleans up.
    """
    group = str(data["ResourceGroup"])
    with ctx.lock(lock_name(data)):
        data["Removed"] = True
        save()
        others = _others(data, ctx)
        going_on = [] if _same_network(data, others) else _delete_network(api, data)
        gone = {*own, config.network_place(data)[1].lower()}
        name = config.availability_set(data)
        used = any(config.availability_set(other) == name for other in others)
        if name and not used and _delete_set(api, group, name):
            gone.add(name.lower())
        return going_on if others or going_on else _delete_group(api, group, gone)


def _delete_network(api: Api, data: Mapping[str, Any]) -> list[str]:
    """Delete the network if it is ours, or else our subnet in it; what somebody of another store uses stays."""
    group, name, must_exist = config.network_place(data)
    network = None if must_exist else api.get(client.NETWORK, group, name)
    if network is None:
        return []
    subnet = str(data["SubnetName"])
    try:
        if _ours(network):
            return [] if api.delete(client.NETWORK, group, name) else [f"{name} is being deleted"]
        if data.get("MadeSubnet") and client.find_subnet(network, subnet):
            return [] if api.delete(client.SUBNET, group, name, subnet) else [f"{subnet} is being deleted"]
    except errors.InUse:
        pass  # by somebody of another store, or by hand
    return []


def _delete_set(api: Api, group: str, name: str) -> bool:
    """Delete the availability set if it is ours and nobody uses it; return whether there is none any more."""
    found = api.get(client.AVAILABILITY_SET, group, name)
    try:
        return found is None or (_ours(found) and api.delete(client.AVAILABILITY_SET, group, name))
    except errors.InUse:
        return False


def _delete_group(api: Api, group: str, gone: set[str]) -> list[str]:
    """Delete the group if it is ours and empty: what is in it would go too. ARM's index may show what is `gone`."""
    found = api.get(client.GROUP, group)
    if found is None or not _ours(found):
        return []
    if client.provisioning_state(found) == "Deleting":
        return client.in_progress(found)
    if any(str(thing.get("name")).lower() not in gone for thing in api.contents(group)):
        return []
    if api.list_all(client.NETWORK, group) or api.list_all(client.MACHINE, group):  # they know more than the index
        return []
    return [] if api.delete(client.GROUP, group) else [f"{group} is being deleted"]


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
