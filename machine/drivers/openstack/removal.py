"""What goes when a machine of driver openstack goes: newest first, by record first and by mark second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.drivers.openstack import config, lookup, requests
from machine.drivers.openstack.client import Api
from machine.errors import InProgress

Data = dict[str, Any]
Asked = dict[tuple[str, bool], bool]  # (id of a server, whether at once) -> whether the cloud took it on
SOFT_DELETED = "SOFT_DELETED"  # by a cloud that lets its administrator undo a removal, with all that the server holds
GONE = ("DELETED", SOFT_DELETED)
TRANSIENT_ERRORS = (
    *errors.AMBIGUOUS_ERRORS,
    errors.RateLimited,
    errors.BadCredentials,
)  # says nothing of what may be done
DELETING_TASKS = ("deleting", "soft-deleting")  # tasks


def remove(api: Api, data: Data, ctx: DriverContext, asked: Asked, keep: Callable[[], None]) -> None:
    """All that `create` made; absent is success. InProgress while the cloud still ends server or volume.

    `asked` remembers over several calls what the cloud was told; a later command tells one that hangs in it again.
    `keep` saves `data`: a server that the cloud keeps after its removal is in no list, so that its id has to be known.
    """
    servers = remaining(api, data, ctx.machine_id, asked)
    unknown = [str(server["id"]) for server in servers if server["id"] != data.get("MachineId")]
    if unknown and len(unknown) == len(servers):
        data["MachineId"] = unknown[0]
        keep()
    addresses(api, data, ctx)
    for server in servers:
        delete_server(api, server, asked)
    if data.get("KeyPairName") and not data.get("ExistingKey"):
        api.delete_key(str(data["KeyPairName"]))
    ending = [server for server in servers if not is_deleted(api, str(server["id"]), asked)]
    if ending:
        raise _in_progress(ctx, "server", str(ending[0]["id"]))
    _volumes(api, data, ctx)
    _group(api, data, ctx)


def find(api: Api, data: Data, machine_id: str) -> list[Data]:
    """The machine's servers: the recorded one, and all that carry its mark."""
    return [server for server in remaining(api, data, machine_id, {}) if not is_absent(server)]


def remaining(api: Api, data: Data, machine_id: str, asked: Asked) -> list[Data]:
    """The same, with those that the cloud keeps for a while: they are known by id only."""
    ids = dict.fromkeys([str(data.get("MachineId") or ""), *(server for server, _ in asked)])
    found = [server for one in ids if one and (server := api.server(one)) is not None]
    if data.get("Asked"):
        found += [server for server in api.servers() if requests.is_ours(server, data, machine_id)]
    return list({server["id"]: server for server in found}.values())


def delete_server(api: Api, server: Data, asked: Asked) -> None:
    """Tell the cloud to end a server, unless it is at it, or will not."""
    server_id, status = str(server["id"]), server.get("status")
    which = (server_id, status == SOFT_DELETED)
    under_way = server.get("task_state") in DELETING_TASKS and which in asked
    if status == "DELETED" or under_way or asked.get(which) is False:
        return
    asked[which] = True
    try:
        api.delete_server(server_id, at_once=status == SOFT_DELETED)
    except errors.CloudError as error:
        if status != SOFT_DELETED or isinstance(error, TRANSIENT_ERRORS):
            raise
        asked[which] = False  # the cloud ends it when its time is over


def is_deleted(api: Api, server_id: str, asked: Asked) -> bool:
    """Whether nothing of it is left, but what the cloud alone can end."""
    server = api.server(server_id)
    if server is not None and server.get("status") == SOFT_DELETED:
        delete_server(api, server, asked)
        return not asked[server_id, True]
    return is_absent(server)


def is_absent(server: Data | None) -> bool:
    """Whether there is none of it any more."""
    return server is None or server.get("status") in GONE


def volumes(api: Api, data: Data, machine_id: str) -> list[Data]:
    """The root volumes that were made for the machine: the recorded one, and all that carry its name and mark."""
    if not data.get("OwnVolumeName"):
        return []
    recorded = api.volume(str(data["OwnVolumeId"])) if data.get("OwnVolumeId") else None
    found = api.volumes(str(data["OwnVolumeName"]))
    marked = [volume for volume in found if (volume.get("metadata") or {}).get(requests.MARK) == machine_id]
    return list({volume["id"]: volume for volume in [*([recorded] if recorded else []), *marked]}.values())


def addresses(api: Api, data: Data, ctx: DriverContext) -> None:
    """Give its floating addresses back."""
    if not data.get("Asked") or not data.get("FloatingIpPool"):
        return
    found = {str(address["id"]) for address in api.addresses(requests.mark(ctx.machine_id))}
    for address in sorted({*found, str(data.get("FloatingIpId") or "")} - {""}):
        api.delete_address(address)


def _volumes(api: Api, data: Data, ctx: DriverContext) -> None:
    """With the server it goes by itself; without one it is ours to remove."""
    left = volumes(api, data, ctx.machine_id)
    for volume in left:
        if volume.get("status") == "deleting":
            continue
        try:
            api.delete_volume(str(volume["id"]))
        except (errors.InUse, errors.BadVolume, errors.WrongState):  # still being made, or still attached
            continue
    if left and (left := volumes(api, data, ctx.machine_id)):
        raise _in_progress(ctx, "volume", f"{left[0]['id']} ({left[0].get('status')})")


def _group(api: Api, data: Data, ctx: DriverContext) -> None:
    """The shared group when no machine has it any more; one that others made or use stays."""
    own = config.own_group(data)
    if not data.get("Asked") or own not in (data.get("SecurityGroups") or []):
        return
    with ctx.lock(f"openstack-{data.get('ProjectId')}"):
        group = lookup.group(api.groups(), own, data)
        if group is None or group.get("description") != requests.GROUP_MARK:
            return
        if any(group["id"] in (other.get("SecurityGroupIds") or []) for other in ctx.siblings()):
            return
        try:
            api.delete_group(str(group["id"]))
        except (errors.InUse, errors.WrongState):
            return  # another computer's machines have it


def _in_progress(ctx: DriverContext, what: str, which: str) -> InProgress:
    return InProgress(
        f"the cloud is still ending the {what} of {ctx.name}",
        details=f"{what} {which} is still there",
        resolution=f"machine rm {ctx.name} again removes the rest",
    )
