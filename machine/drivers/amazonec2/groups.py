"""The look at security groups before a create: they are there, let in what must come in, and keep what was promised.

A promise is --amazonec2-allow-from: only those networks reach the machine. Rules of a group are for all machines in
it, and are never taken away, so a group that is wider than the promise, or would be made wider than that of another
machine, is refused. Groups that are ours have a name for every set of networks (ports.group_name), so that happens to
them only while an older machine keeps its promise in everybody's group.
"""

from __future__ import annotations

from collections.abc import Sequence

from machine.drivers.amazonec2 import firewall
from machine.drivers.amazonec2.client import Api, Json
from machine.drivers.amazonec2.config import Config
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.drivers.cloud.errors import refuse
from machine.drivers.cloud.firewall import closed_port_warnings, missing, rules, sources_outside
from machine.drivers.cloud.ports import PortRange


def check_groups(api: Api, config: Config, ctx: DriverContext) -> None:
    """Ask for the wanted groups, where there is something to be said of them.

    Raises PreflightFailed or BadFirewall if they cannot be used.

    A port that no rule of groups which we may not change lets in is a line in the log.
    """
    names, readonly = config.groups, config.security_group_readonly
    must_exist = [name for name in names if readonly or name.startswith("sg-")]
    keepers = [other for other in ctx.siblings() if other.get("AllowFrom")]
    if not (must_exist or keepers or config.allow_from):
        return
    groups = api.groups(names, config.vpc_id)
    have = {str(group[key]) for group in groups for key in ("GroupId", "GroupName")}
    if absent := [name for name in must_exist if name not in have]:
        advice = "check --amazonec2-security-group, or drop --amazonec2-security-group-readonly to have it made"
        refuse(f"there is no security group {', '.join(absent)} in {config.vpc_id}", advice)
    port_ranges = config.needed_port_ranges(ctx.cluster_ports)
    for group in groups:
        _no_wider(group, port_ranges, config)
        if not readonly:
            _widens_no_other(group, port_ranges, config, keepers)
    if readonly:
        for line in closed_port_warnings(
            firewall.rules(groups), config, ctx.cluster_ports, f"the security groups {', '.join(names)}"
        ):
            ctx.log(line)


def _no_wider(group: Json, port_ranges: Sequence[PortRange], config: Config) -> None:
    """The group lets nobody in to our ports but the networks of --amazonec2-allow-from."""
    wider = sources_outside(firewall.rules([group]), port_ranges, config.allow_from) if config.allow_from else []
    if wider:
        raise errors.BadFirewall(
            f"the security group {group['GroupName']} lets in {', '.join(wider)}, beyond --amazonec2-allow-from",
            resolution="take those rules out of it, name another --amazonec2-security-group, or leave that out to have "
            "one made for these networks",
        )


def _widens_no_other(group: Json, port_ranges: Sequence[PortRange], config: Config, keepers: Sequence[Json]) -> None:
    """What we would add to the group is within the promises made for the machines that have it."""
    adding = missing(rules(port_ranges, config.allow_from, group["GroupId"]), firewall.rules([group]))
    for other in keepers:
        if group["GroupId"] not in (other.get("SecurityGroupIds") or []):
            continue
        wider = sources_outside(adding, port_ranges, other["AllowFrom"])
        if wider:
            raise errors.BadFirewall(
                f"the security group {group['GroupName']} has a machine that only {', '.join(other['AllowFrom'])} may "
                f"reach; this one would let in {', '.join(wider)}",
                resolution="name another --amazonec2-security-group, or give the same --amazonec2-allow-from",
            )
