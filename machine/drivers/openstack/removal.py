"""What goes when a machine of driver openstack goes: newest first; found by their recorded ids, then by their mark."""

from __future__ import annotations

from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.drivers.openstack import lookup, requests
from machine.drivers.openstack.client import FLOATING_IP, SECURITY_GROUP, SERVER, VOLUME, Api, Json
from machine.drivers.openstack.config import Config

SOFT_DELETED = "SOFT_DELETED"  # by a cloud that lets its administrator undo a removal, with all that the server holds
GONE = ("DELETED", SOFT_DELETED)
TRANSIENT_ERRORS = (*errors.AMBIGUOUS_ERRORS, errors.RateLimited, errors.BadCredentials)  # no refusal of the deletion
DELETING_TASKS = ("deleting", "soft-deleting")


def is_absent(server: Json | None) -> bool:
    """Return whether the server is gone: the cloud has none of that id, or says that it is deleted."""
    return server is None or server.get("status") in GONE


class Servers:
    """The servers of one machine: the recorded one, and all that carry its mark.

    Which deletions this process has requested is remembered, so that each is requested once; a later command requests
    those that are not done again.
    """

    def __init__(self, api: Api, config: Config, machine_id: str) -> None:
        self.api = api
        self.config = config
        self.machine_id = machine_id
        self._deletions: dict[tuple[str, bool], bool] = {}  # (id, forced) of each -> False if the cloud refused it

    def marked(self) -> list[Json]:
        """The servers that carry the mark of this machine."""
        if not self.config.create_requested:
            return []
        return [one for one in self.api.list_all(SERVER) if requests.is_ours(one, self.config, self.machine_id)]

    def remaining(self) -> list[Json]:
        """The machine's servers, with those that the cloud keeps for a while: they are known by id only."""
        ids = dict.fromkeys([self.config.server_id, *(server for server, _ in self._deletions)])
        found = [server for one in ids if one and (server := self.api.find(SERVER, one)) is not None]
        return list({server["id"]: server for server in [*found, *self.marked()]}.values())

    def delete(self, server: Json) -> None:
        """Request the deletion of a server, forced if the cloud keeps it deleted, unless this was done or refused."""
        server_id, status = str(server["id"]), server.get("status")
        deletion = (server_id, status == SOFT_DELETED)
        under_way = server.get("task_state") in DELETING_TASKS and deletion in self._deletions
        if status == "DELETED" or under_way or self._deletions.get(deletion) is False:
            return
        self._deletions[deletion] = True
        try:
            self.api.delete(SERVER, server_id, force=status == SOFT_DELETED)
        except errors.CloudError as error:
            if status != SOFT_DELETED or isinstance(error, TRANSIENT_ERRORS):
                raise
            self._deletions[deletion] = False  # the cloud deletes it itself, some time later

    def is_deleted(self, server_id: str) -> bool:
        """Whether nothing of it is left, or only what the cloud keeps for a while and will not delete before."""
        server = self.api.find(SERVER, server_id)
        if server is not None and server.get("status") == SOFT_DELETED:
            self.delete(server)
            return not self._deletions[server_id, True]
        return is_absent(server)


def volumes(api: Api, config: Config, machine_id: str) -> list[Json]:
    """The root volumes that were made for the machine: the recorded one, and all that carry its name and mark."""
    if not config.own_volume_name:
        return []
    recorded = api.find(VOLUME, config.own_volume_id) if config.own_volume_id else None
    named = api.list_all(VOLUME, name=config.own_volume_name)
    marked = [volume for volume in named if (volume.get("metadata") or {}).get(requests.MARK) == machine_id]
    return list({volume["id"]: volume for volume in [*([recorded] if recorded else []), *marked]}.values())


def delete_addresses(api: Api, config: Config, machine_id: str) -> None:
    """Give its floating addresses back."""
    if not config.create_requested or not config.floating_ip_pool:
        return
    found = {str(address["id"]) for address in api.list_all(FLOATING_IP, description=requests.marker(machine_id))}
    for address in sorted({*found, config.floating_ip_id} - {""}):
        api.delete(FLOATING_IP, address)


def delete_volumes(api: Api, config: Config, machine_id: str) -> list[Json]:
    """Delete the root volumes that did not go with their server; return those that are still there."""
    left = volumes(api, config, machine_id)
    for volume in left:
        if volume.get("status") == "deleting":
            continue
        try:
            api.delete(VOLUME, str(volume["id"]))
        except (errors.InUse, errors.BadVolume, errors.WrongState):  # still being made, or still attached
            continue
    return volumes(api, config, machine_id) if left else []


def delete_group(api: Api, config: Config, ctx: DriverContext) -> None:
    """Delete the shared group when no machine of this store has it; one that others made or use stays."""
    if not config.create_requested or not config.has_own_group:
        return
    with ctx.lock(f"openstack-{config.account}"):
        group = lookup.group(api.list_all(SECURITY_GROUP), config.own_group, config)
        if group is None or group.get("description") != requests.GROUP_MARK:
            return
        if any(group["id"] in (other.get("SecurityGroupIds") or []) for other in ctx.siblings()):
            return
        try:
            api.delete(SECURITY_GROUP, str(group["id"]))
        except (errors.InUse, errors.WrongState):
            return  # another computer's machines have it
