"""Whether the project's limits leave room for one more machine. Only asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from machine.drivers.cloud import errors
from machine.drivers.openstack import config, lookup
from machine.drivers.openstack.client import Api
from machine.drivers.openstack.errors import ERRORS

Data = dict[str, Any]
NOT_TOLD = (400, 403, 404, 405, 501)  # not here, or not to everybody: the thing itself may still be allowed
Log = Callable[[str], None]


def servers(api: Api, data: Data, flavor: Mapping[str, Any], log: Log) -> None:
    """Nova's limits for one more server of that flavor."""
    wanted = (
        ("instances_used", "instances", 1, "servers"),
        ("total_cores_used", "total_cores", int(flavor.get("vcpus") or 0), "cores"),
        ("total_ram_used", "total_ram", int(flavor.get("ram") or 0), "MB of memory"),
    )
    _within(api.limits, wanted, str(data["FlavorId"]), log)


def volumes(api: Api, data: Data, log: Log) -> None:
    """Cinder's limits for the root volume."""
    wanted = (
        ("total_volumes_used", "max_total_volumes", 1, "volumes"),
        ("total_gigabytes_used", "max_total_volume_gigabytes", int(data["OwnVolumeSize"]), "GB of volumes"),
    )
    _within(api.volume_limits, wanted, "the root volume", log)


def network(api: Api, data: Data, groups: Sequence[Data], log: Log) -> None:
    """Neutron's limits, for what is not among the `groups` that there are. ConoHa shows none."""
    if config.is_conoha(data):
        return
    wanted = [("ports_used", "ports", 1, "ports")]
    if data.get("FloatingIpPool"):
        wanted.append(("floating_ips_used", "floating_ips", 1, "floating addresses"))
    own = config.own_group(data)
    if own in data["SecurityGroups"] and lookup.group(groups, own, data) is None:
        wanted.append(("security_groups_used", "security_groups", 1, "security groups"))
    _within(lambda: api.network_limits(str(data["ProjectId"])), wanted, "the machine", log)


def _within(ask: Callable[[], Data], wanted: Sequence[tuple[str, str, int, str]], who: str, log: Log) -> None:
    """`wanted` are key of what is used, key of the limit, how much more is needed, and what it is."""
    try:
        limits = ask()
    except errors.CloudError as error:
        if error.status not in NOT_TOLD:
            raise
        log(f"the limits of the project are not checked: {error.details or error.brief}")
        return
    for used, most, more, what in wanted:
        have, limit = limits.get(used), limits.get(most)
        if have is not None and limit is not None and 0 <= int(limit) < int(have) + more:
            raise ERRORS.error(
                errors.QuotaExceeded,
                f"the project has {have} {what} and may have {limit}, and {who} needs {more} more",
            )
