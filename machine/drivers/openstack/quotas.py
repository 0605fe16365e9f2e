"""Whether the project's limits leave room for one more machine. Only asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from machine.drivers.cloud import errors, quota
from machine.drivers.cloud.quota import Quota
from machine.drivers.openstack import lookup
from machine.drivers.openstack.client import Api
from machine.drivers.openstack.config import Config
from machine.drivers.openstack.errors import ERRORS

Json = dict[str, Any]
NOT_TOLD = (400, 403, 404, 405, 501)  # not here, or not to everybody: the thing itself may still be allowed
Log = Callable[[str], None]


def check_servers(api: Api, config: Config, flavor: Mapping[str, Any], log: Log) -> None:
    """Raises QuotaExceeded if Nova's limits leave no room for one more server of that flavor."""
    wanted = (
        ("instances_used", "instances", 1, "servers"),
        ("total_cores_used", "total_cores", int(flavor.get("vcpus") or 0), "cores"),
        ("total_ram_used", "total_ram", int(flavor.get("ram") or 0), "MB of memory"),
    )
    _check(lambda: api.limits("compute"), wanted, config.flavor_id, log)


def check_volumes(api: Api, config: Config, log: Log) -> None:
    """Raises QuotaExceeded if Cinder's limits leave no room for the root volume."""
    wanted = (
        ("total_volumes_used", "max_total_volumes", 1, "volumes"),
        ("total_gigabytes_used", "max_total_volume_gigabytes", config.own_volume_size, "GB of volumes"),
    )
    _check(lambda: api.limits("block_storage"), wanted, "the root volume", log)


def check_network(api: Api, config: Config, groups: Sequence[Json], log: Log) -> None:
    """Check Neutron's limits. Not asked at ConoHa, which shows none.

    Raises QuotaExceeded if they leave no room for the machine's port, floating address and, if it is not among the
    `groups` that there are, the shared group.
    """
    if config.is_conoha:
        return
    wanted = [("ports_used", "ports", 1, "ports")]
    if config.floating_ip_pool:
        wanted.append(("floating_ips_used", "floating_ips", 1, "floating addresses"))
    if config.has_own_group and lookup.group(groups, config.own_group, config) is None:
        wanted.append(("security_groups_used", "security_groups", 1, "security groups"))
    _check(lambda: api.network_limits(config.account), wanted, "the machine", log)


def _check(ask: Callable[[], Json], wanted: Sequence[tuple[str, str, int, str]], who: str, log: Log) -> None:
    """`wanted` are key of what is used, key of the limit, how much more is needed, and what it is."""
    try:
        limits = ask()
    except errors.CloudError as error:
        if error.status not in NOT_TOLD:
            raise
        log(f"the limits of the project are not checked: {error.details or error.brief}")
        return
    known = [one for one in wanted if limits.get(one[0]) is not None and limits.get(one[1]) is not None]
    quotas = [Quota(what, int(limits[used]), int(limits[most]), more) for used, most, more, what in known]
    quota.check(ERRORS, "the project", quotas, who)
