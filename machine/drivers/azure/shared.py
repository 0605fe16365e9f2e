"""What machines share: resource group, availability set, network, subnet.

Made by the first machine that needs it, under the name that was given; removed with the last one. Only what carries
our tag is ever removed. Both happen under one lock of the store, and Azure itself refuses to remove a set or a network
that somebody of another store uses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from machine.drivers.azure import requests, resources
from machine.drivers.azure.client import Api
from machine.drivers.azure.config import Config
from machine.drivers.azure.errors import ERRORS
from machine.drivers.azure.resources import AVAILABILITY_SET, MACHINE, NETWORK, RESOURCE_GROUP, SUBNET, ResourceType
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors


@dataclass(frozen=True, slots=True)
class SharedResources:
    """What one machine shares with others. Methods return a line for each thing that Azure is still at."""

    api: Api
    config: Config
    ctx: DriverContext
    save: Callable[[], None]  # writes the config to disk, as soon as an id is known

    def ensure_group(self) -> list[str]:
        """Make the resource group if there is none; it may be that an earlier one of its name is being deleted."""
        group = self.config.resource_group
        with self._lock():
            found = self.api.get(RESOURCE_GROUP, group)
            found = found or self.api.put(RESOURCE_GROUP, group, body=requests.group(self.config))
        return resources.in_progress(found)

    def ensure(self) -> list[str]:
        """Ask for the set, network and subnet that are not there."""
        config = self.config
        group, name = config.resource_group, config.availability_set_name
        with self._lock():
            if name:
                found = self.api.ensure(AVAILABILITY_SET, group, name, body=requests.availability_set(config))
                config.availability_set_id = found["id"]
                self.save()
            return self._ensure_subnet()

    def delete_unused(self, own: Collection[str]) -> list[str]:
        """Remove what no machine uses any more.

        `own` are names, in small letters, of the machine's things that are gone; without them the group is left for
        the next call. The machine is marked as removed before the others are looked at: of two that go at once, the
        second cleans up.
        """
        config = self.config
        with self._lock():
            config.removed = True
            self.save()
            others = self._others()
            unfinished = [] if _in_same_network(config, others) else self._delete_network()
            name = config.availability_set_name
            used = any(other.availability_set_name == name for other in others)
            if name and not used and _is_ours(self.api.get(AVAILABILITY_SET, config.resource_group, name)):
                self._delete(AVAILABILITY_SET, config.resource_group, name)
            if others or unfinished or not own:
                return unfinished
            return self._delete_group({*own, config.network_path[1].lower(), name.lower()})

    def _lock(self) -> AbstractContextManager[None]:
        """One lock for all that a resource group holds."""
        return self.ctx.lock(f"azure-{self.config.resource_group.lower()}")

    def _ensure_subnet(self) -> list[str]:
        """Ask for the subnet, and for its network, if they are not there. Its id is saved once both can be used."""
        config, path, must_exist = self.config, self.config.network_path, self.config.network_must_exist
        network = self.api.get(NETWORK, *path)
        if network is None and not must_exist:
            network = self.api.put(NETWORK, *path, body=requests.network(config))
        network = network or {}
        self.api.raise_failure(NETWORK, *path, found=network)
        subnet = resources.find_subnet(network, config.subnet)
        if subnet is None and must_exist:
            raise ERRORS.error(errors.BadNetwork, f"there is no subnet {config.subnet} in the network {path[1]}")
        unfinished = [] if must_exist else resources.in_progress(network) or resources.in_progress(subnet or {})
        if subnet is None and not unfinished:
            config.made_subnet = True
            self.save()
            subnet = self.api.put(SUBNET, *path, config.subnet, body=requests.subnet(config))
            unfinished = resources.in_progress(subnet)
        if subnet is not None and not unfinished:
            config.made_subnet |= any(other.made_subnet for other in _in_same_network(config, self._others()))
            config.subnet_id = subnet["id"]
            self.save()
        return unfinished

    def _delete_network(self) -> list[str]:
        """Delete the network if it is ours, or else our subnet in it; what somebody of another store uses stays."""
        config, path = self.config, self.config.network_path
        network = None if config.network_must_exist else self.api.get(NETWORK, *path)
        if _is_ours(network):
            return self._delete(NETWORK, *path)
        has_ours = network and config.made_subnet and resources.find_subnet(network, config.subnet)
        return self._delete(SUBNET, *path, config.subnet) if has_ours else []

    def _delete_group(self, gone: set[str]) -> list[str]:
        """Delete the group if it is ours and empty: what is in it would go too. ARM's index may show what is `gone`."""
        group = self.config.resource_group
        found = self.api.get(RESOURCE_GROUP, group)
        if found is None or not _is_ours(found):
            return []
        if resources.provisioning_state(found) == "Deleting":
            return resources.in_progress(found)
        used = any(str(thing.get("name")).lower() not in gone for thing in self.api.contents(group))
        kinds = (NETWORK, AVAILABILITY_SET, MACHINE)  # their lists are newer than the index
        used = used or any(self.api.list_all(kind, group) for kind in kinds)
        return [] if used else self._delete(RESOURCE_GROUP, group)

    def _delete(self, kind: ResourceType, *path: str) -> list[str]:
        """Delete a thing, unless somebody of another store, or somebody by hand, has put it to use."""
        try:
            return [] if self.api.delete(kind, *path) else [f"{path[-1]} is being deleted"]
        except errors.InUse:
            return []

    def _others(self) -> list[Config]:
        """Machines of the store in the same resource group that are not removed."""
        others = [Config.from_record(other) for other in self.ctx.siblings()]
        return [other for other in others if not other.removed and _place(other) == _place(self.config)]


def _is_ours(thing: Mapping[str, Any] | None) -> bool:
    tags = (thing or {}).get("tags") or {}
    return all(tags.get(key) == value for key, value in requests.MADE_BY.items())


def _place(config: Config) -> tuple[str, str]:
    return config.subscription_id.lower(), config.resource_group.lower()


def _in_same_network(config: Config, others: Sequence[Config]) -> list[Config]:
    return [other for other in others if other.vnet == config.vnet]
