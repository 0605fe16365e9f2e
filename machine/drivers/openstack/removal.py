"""What goes when a machine of driver openstack goes: newest first, by record first and by mark second."""

from __future__ import annotations

from typing import Any

from machine.drivers.base import DriverContext
from machine.drivers.openstack import failures, request
from machine.drivers.openstack.api import Api
from machine.drivers.openstack.options import GROUP
from machine.drivers.openstack.survey import find_group
from machine.errors import Unfinished

Data = dict[str, Any]
GONE = ("DELETED", "SOFT_DELETED")


def remove(api: Api, data: Data, ctx: DriverContext) -> None:
    """All that `create` made; absent is success. Unfinished while the cloud still ends server or volume."""
    servers = find(api, data, ctx.machine_id)
    addresses(api, data, ctx)
    for server in servers:
        if server.get("task_state") != "deleting":
            api.delete_server(str(server["id"]))
    if data.get("KeyPairName") and not data.get("ExistingKey"):
        api.delete_key(str(data["KeyPairName"]))
    ending = [server for server in servers if not gone(api.server(str(server["id"])))]
    if ending:
        raise _unfinished(ctx, "server", str(ending[0]["id"]))
    _volumes(api, data, ctx)
    _group(api, data, ctx)


def find(api: Api, data: Data, machine_id: str) -> list[Data]:
    """The machine's servers: the recorded one, and all that carry its mark."""
    recorded = api.server(str(data["MachineId"])) if data.get("MachineId") else None
    found = [recorded] if recorded else []
    if data.get("Asked"):
        found += [server for server in api.servers() if request.is_ours(server, data, machine_id)]
    return [server for server in {server["id"]: server for server in found}.values() if not gone(server)]


def gone(server: Data | None) -> bool:
    """Whether there is none of it any more."""
    return server is None or server.get("status") in GONE


def volumes(api: Api, data: Data, machine_id: str) -> list[Data]:
    """The root volumes that were made for the machine: the recorded one, and all that carry its name and mark."""
    if not data.get("OwnVolumeName"):
        return []
    recorded = api.volume(str(data["OwnVolumeId"])) if data.get("OwnVolumeId") else None
    found = api.volumes(str(data["OwnVolumeName"]))
    marked = [volume for volume in found if (volume.get("metadata") or {}).get(request.MARK) == machine_id]
    return list({volume["id"]: volume for volume in [*([recorded] if recorded else []), *marked]}.values())


def addresses(api: Api, data: Data, ctx: DriverContext) -> None:
    """Give its floating addresses back."""
    if not data.get("Asked") or not data.get("FloatingIpPool"):
        return
    found = {str(address["id"]) for address in api.addresses(request.mark(ctx.machine_id))}
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
        except (failures.InUse, failures.BadVolume, failures.WrongState):  # still being made, or still attached
            continue
    if left and (left := volumes(api, data, ctx.machine_id)):
        raise _unfinished(ctx, "volume", f"{left[0]['id']} ({left[0].get('status')})")


def _group(api: Api, data: Data, ctx: DriverContext) -> None:
    """The shared group when no machine has it any more; one that others made or use stays."""
    if not data.get("Asked") or GROUP not in (data.get("SecurityGroups") or []):
        return
    with ctx.lock(f"openstack-{data.get('ProjectId')}"):
        group = find_group(api.groups(), GROUP, data)
        if group is None or group.get("description") != request.GROUP_MARK:
            return
        if any(group["id"] in (other.get("SecurityGroupIds") or []) for other in ctx.siblings()):
            return
        try:
            api.delete_group(str(group["id"]))
        except (failures.InUse, failures.WrongState):
            return  # another computer's machines have it


def _unfinished(ctx: DriverContext, what: str, which: str) -> Unfinished:
    return Unfinished(
        f"the cloud is still ending the {what} of {ctx.name}",
        details=f"{what} {which} is still there",
        resolution=f"machine rm {ctx.name} again removes the rest",
    )
