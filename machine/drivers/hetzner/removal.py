"""What goes when a machine of driver hetzner goes: by label first, by record second (the plugin's have no label)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.hetzner.client import FIREWALL, PLACEMENT_GROUP, SERVER, SSH_KEY, Api
from machine.drivers.hetzner.config import Config
from machine.drivers.hetzner.requests import AUTO_CREATED


def remove(api: Api, config: Config, save: Callable[[], None]) -> None:
    """All that `create` made but the placement group; absent is success.

    Raises InUse or WrongState while the server is still there.
    """
    servers = {int(one.id): one for one in api.labelled(SERVER, config.machine_label)}
    if config.server_id and config.server_id not in servers and (recorded := api.get(SERVER, config.server_id)):
        servers[config.server_id] = recorded
    for number, server in servers.items():
        if server.placement_group and not config.placement_group_id:  # of the plugin, which writes down no group
            config.placement_group_id = int(server.placement_group.id)
            save()
        if server.status != "deleting":
            api.delete(SERVER, number)
    walls = {int(wall.id) for wall in api.labelled(FIREWALL, config.machine_label)}
    for number in walls | {config.firewall_id} - {0}:
        api.delete(FIREWALL, number)
    keys = {int(key.id) for key in api.labelled(SSH_KEY, config.machine_label)}
    keys |= {int(number) for number in config.additional_key_ids if number.isdecimal()}
    for number in keys | ({config.key_id} if config.key_id and not config.existing_key else set()):
        api.delete(SSH_KEY, number)


def remove_group(api: Api, config: Config, named: Any, siblings: Iterable[dict[str, Any]]) -> None:
    """The placement group, if a create made it and no other machine is in it or about to be.

    `named` is the one of the wanted name, for a create that never heard what it was. Raises InUse while the machine's
    own server is still in it.
    """
    group = api.get(PLACEMENT_GROUP, config.placement_group_id) if config.placement_group_id else named
    if group is None or (group.labels or {}).get(AUTO_CREATED) != "true":
        return
    others = set(group.servers or []) - {config.server_id}
    if others or any(sibling.get("PlacementGroupID") == group.id for sibling in siblings):
        return
    if group.servers:
        raise errors.InUse("the server is still in its placement group")
    api.delete(PLACEMENT_GROUP, int(group.id))
