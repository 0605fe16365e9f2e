"""The look at security groups before a create: they are there, let in what must come in, and keep what was promised.

A promise is --amazonec2-allow-from: only those networks reach the machine. Rules of a group are for all machines in
it, and are never taken away, so a group that is wider than the promise, or would be made wider than that of another
machine, is refused. Groups that are ours have a name for every set of networks (ports.group_name), so that happens to
them only while an older machine keeps its promise in everybody's group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from machine.drivers.amazonec2 import config, firewall
from machine.drivers.amazonec2.client import Api
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors
from machine.errors import PreflightFailed


def check_groups(api: Api, data: Mapping[str, Any], ctx: DriverContext) -> None:
    """Ask for the wanted groups, where there is something to be said of them; PreflightFailed, BadFirewall.

    A port that no rule of groups which we may not change lets in is a line in the log.
    """
    names, readonly = config.group_names(data), bool(data.get("SecurityGroupReadOnly"))
    must_exist = [name for name in names if readonly or name.startswith("sg-")]
    keepers = [other for other in ctx.siblings() if other.get("AllowFrom")]
    if not (must_exist or keepers or data.get("AllowFrom")):
        return
    found = api.groups(names, data["VpcId"])
    _all_there(found, must_exist, data)
    wanted = firewall.wanted(data, ctx.swarm_ports)
    for group in found:
        _no_wider(group, wanted, data)
        if not readonly:
            _widens_no_other(group, wanted, data, keepers)
    if readonly:
        for line in closed(found, wanted, data):
            ctx.log(line)


def closed(
    groups: Iterable[Mapping[str, Any]], wanted: Sequence[firewall.Opening], data: Mapping[str, Any]
) -> list[str]:
    """A sentence for every opening that no rule of all these groups allows from anywhere."""
    present = [rule for group in groups for rule in group.get("IpPermissions", [])]
    purposes = {("tcp", int(data.get("SSHPort") or 22)): "ssh", ("tcp", firewall.ENGINE_PORT): "Docker"}
    own = {firewall.parse(text) for text in data.get("OpenPorts") or []}
    lines = []
    for opening in wanted:
        if firewall.sources(present, opening.first, opening.last, opening.protocol):
            continue
        port = opening.ports + ("/udp" if opening.protocol == "udp" else "")
        purpose = purposes.get((opening.protocol, opening.first))
        purpose = purpose or ("--amazonec2-open-port" if opening in own else "the swarm")
        lines.append(
            f"no rule of the security groups {', '.join(config.group_names(data))} lets port {port} in: "
            f"{purpose} needs it"
        )
    return lines


def _all_there(found: Sequence[Mapping[str, Any]], must_exist: Sequence[str], data: Mapping[str, Any]) -> None:
    have = {str(group[key]) for group in found for key in ("GroupId", "GroupName")}
    absent = [name for name in must_exist if name not in have]
    if absent:
        raise PreflightFailed(
            f"there is no security group {', '.join(absent)} in {data['VpcId']}",
            resolution="check --amazonec2-security-group, or drop --amazonec2-security-group-readonly to have it made",
        )


def _no_wider(group: Mapping[str, Any], wanted: Sequence[firewall.Opening], data: Mapping[str, Any]) -> None:
    """The group lets nobody in to our ports but the networks of --amazonec2-allow-from."""
    if not data.get("AllowFrom"):
        return
    wider = firewall.beyond(group.get("IpPermissions", []), wanted, data["AllowFrom"])
    if wider:
        raise errors.BadFirewall(
            f"the security group {group['GroupName']} lets in {', '.join(wider)}, beyond --amazonec2-allow-from",
            resolution="take those rules out of it, name another --amazonec2-security-group, or leave that out to have "
            "one made for these networks",
        )


def _widens_no_other(
    group: Mapping[str, Any],
    wanted: Sequence[firewall.Opening],
    data: Mapping[str, Any],
    keepers: Sequence[Mapping[str, Any]],
) -> None:
    """What we would add to the group is within the promises made for the machines that have it."""
    rules = firewall.rules(wanted, data.get("AllowFrom") or [], group["GroupId"])
    adding = firewall.missing(rules, group.get("IpPermissions", []))
    for other in keepers:
        if group["GroupId"] not in (other.get("SecurityGroupIds") or []):
            continue
        wider = firewall.beyond(adding, wanted, other["AllowFrom"])
        if wider:
            raise errors.BadFirewall(
                f"the security group {group['GroupName']} has a machine that only {', '.join(other['AllowFrom'])} may "
                f"reach; this one would let in {', '.join(wider)}",
                resolution="name another --amazonec2-security-group, or give the same --amazonec2-allow-from",
            )
