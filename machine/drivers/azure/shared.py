"""What machines share: resource group, availability set, network, subnet.

Made by the first machine that needs it, under the name that was given; removed with the last one. Only what carries
our tag is ever removed. Both happen under one lock of the store, and Azure itself refuses to remove a set or a network
that somebody of another store uses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from machine.drivers.azure import requests, resources
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.errors import ERRORS
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors


def lock_name(config: Config) -> str:
    """One lock for all that a resource group holds."""
    return f"azure-{config.resource_group.lower()}"


def ensure_group(api: Api, config: Config, ctx: DriverContext) -> list[str]:
    """Make the resource group if there is none; return a line while an earlier one of its name is being deleted."""
    with ctx.lock(lock_name(config)):
        found = api.get(resources.GROUP, config.resource_group)
        if found is None:
            found = api.put(resources.GROUP, config.resource_group, body=requests.group(config))
        return resources.in_progress(found)


def ensure(api: Api, config: Config, ctx: DriverContext, save: Callable[[], None]) -> list[str]:
    """Ask for the set, network and subnet that are not there; return a line for each that Azure is still at.

    `save` writes each id down as soon as it is known.
    """
    group, name = config.resource_group, config.availability_set_name
    with ctx.lock(lock_name(config)):
        if name:
            found = api.ensure(resources.AVAILABILITY_SET, group, name, body=requests.availability_set(config))
            config.availability_set_id = found["id"]
            save()
        return _ensure_subnet(api, config, ctx, save)


def _ensure_subnet(api: Api, config: Config, ctx: DriverContext, save: Callable[[], None]) -> list[str]:
    """Ask for the subnet, and for its network, if they are not there. Its id is recorded once both can be used."""
    path, must_exist = config.network_path, config.network_must_exist
    network = api.get(resources.NETWORK, *path)
    if network is None and not must_exist:
        network = api.put(resources.NETWORK, *path, body=requests.network(config))
    network = network or {}
    api.raise_failure(resources.NETWORK, *path, found=network)
    subnet = resources.find_subnet(network, config.subnet)
    if subnet is None and must_exist:
        raise ERRORS.error(errors.BadNetwork, f"there is no subnet {config.subnet} in the network {path[1]}")
    unfinished = [] if must_exist else resources.in_progress(network) or resources.in_progress(subnet or {})
    if subnet is None and not unfinished:
        config.made_subnet = True
        save()
        subnet = api.put(resources.SUBNET, *path, config.subnet, body=requests.subnet(config))
        unfinished = resources.in_progress(subnet)
    if subnet is not None and not unfinished:
        config.made_subnet |= any(other.made_subnet for other in _in_same_network(config, _others(config, ctx)))
        config.subnet_id = subnet["id"]
        save()
    return unfinished


def delete_unused(
    api: Api, config: Config, ctx: DriverContext, save: Callable[[], None], own: Collection[str]
) -> list[str]:
    """Remove what no machine uses any more; return a line for each thing that Azure is still at.

    `own` are names, in small letters, of the machine's things that are gone; without them the group is left for the
    next call. The machine is marked as removed before the others are looked at: of two that go at once, the second
    cleans up.
    """
    with ctx.lock(lock_name(config)):
        config.removed = True
        save()
        others = _others(config, ctx)
        unfinished = [] if _in_same_network(config, others) else _delete_network(api, config)
        gone = {*own, config.network_path[1].lower()}
        name = config.availability_set_name
        used = any(other.availability_set_name == name for other in others)
        if name and not used and _delete_set(api, config.resource_group, name):
            gone.add(name.lower())
        return unfinished if others or unfinished or not own else _delete_group(api, config.resource_group, gone)


def _delete_network(api: Api, config: Config) -> list[str]:
    """Delete the network if it is ours, or else our subnet in it; what somebody of another store uses stays."""
    path = config.network_path
    network = None if config.network_must_exist else api.get(resources.NETWORK, *path)
    try:
        if network is None:
            return []
        if _ours(network):
            return [] if api.delete(resources.NETWORK, *path) else [f"{path[1]} is being deleted"]
        if config.made_subnet and resources.find_subnet(network, config.subnet):
            return [] if api.delete(resources.SUBNET, *path, config.subnet) else [f"{config.subnet} is being deleted"]
    except errors.InUse:
        pass  # by somebody of another store, or by hand
    return []


def _delete_set(api: Api, group: str, name: str) -> bool:
    """Delete the availability set if it is ours and nobody uses it; return whether there is none any more."""
    found = api.get(resources.AVAILABILITY_SET, group, name)
    try:
        return found is None or (_ours(found) and api.delete(resources.AVAILABILITY_SET, group, name))
    except errors.InUse:
        return False


def _delete_group(api: Api, group: str, gone: set[str]) -> list[str]:
    """Delete the group if it is ours and empty: what is in it would go too. ARM's index may show what is `gone`."""
    found = api.get(resources.GROUP, group)
    if found is None or not _ours(found):
        return []
    if resources.provisioning_state(found) == "Deleting":
        return resources.in_progress(found)
    if any(str(thing.get("name")).lower() not in gone for thing in api.contents(group)):
        return []
    if api.list_all(resources.NETWORK, group) or api.list_all(
        resources.MACHINE, group
    ):  # they know more than the index
        return []
    return [] if api.delete(resources.GROUP, group) else [f"{group} is being deleted"]


def _ours(thing: Mapping[str, Any]) -> bool:
    tags = thing.get("tags") or {}
    return all(tags.get(key) == value for key, value in requests.MADE_BY.items())


def _others(config: Config, ctx: DriverContext) -> list[Config]:
    """Machines of the store in the same resource group that are not removed."""
    others = [Config.from_record(other) for other in ctx.siblings()]
    return [other for other in others if not other.removed and _place(other) == _place(config)]


def _place(config: Config) -> tuple[str, str]:
    return config.subscription_id.lower(), config.resource_group.lower()


def _in_same_network(config: Config, others: Sequence[Config]) -> list[Config]:
    return [other for other in others if other.vnet == config.vnet]
