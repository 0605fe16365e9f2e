"""Where a new container goes: where what it depends on is, else where its image is and the fewest containers are."""

from __future__ import annotations

import asyncio
from typing import Any

from machine.swarm.aggregate.lookup import Lookup
from machine.swarm.aggregate.members import Member, Members
from machine.swarm.chain import Refused, Request
from machine.swarm.target import build


async def choose(members: Members, lookup: Lookup, config: dict[str, Any], node: str = "") -> Member:
    """The engine for a container with this create call's body; `node` names one. Refused if none will do."""
    candidates = await members.present()
    if node:
        candidates = [member for member in candidates if member.name == node]
        if not candidates:
            raise Refused(404, f"there is no engine {node}")
    owners = {member.name: member for member in [(await lookup.owner(x))[0] for x in _dependencies(config)]}
    if len(owners) > 1:
        raise Refused(409, f"the containers it depends on are on different engines: {', '.join(sorted(owners))}")
    if owners:
        (owner,) = owners.values()
        if owner not in candidates:
            raise Refused(409, f"a container it depends on is on {owner.name}, not on {node}")
        return owner
    coming = {member.name: member.creating for member in candidates}  # before the list: what is in neither is worse
    listed = await members.ask(Request("GET", "/containers/json?all=1"), candidates)
    candidates = [member for member, _ in listed]
    holders = await _holders(candidates, str(config.get("Image", "")))
    wanted = _host_ports(config)

    def cost(pair: tuple[Member, Any]) -> tuple[bool, bool, int]:
        member, containers = pair
        taken = {port.get("PublicPort") for each in containers for port in each.get("Ports") or ()}
        return bool(wanted & taken), member not in holders, len(containers) + coming[member.name]

    return min(listed, key=cost)[0]


async def _holders(members: list[Member], image: str) -> list[Member]:
    path = build("", f"/images/{image}/json")
    found = await asyncio.gather(*(member.has(path) for member in members))
    return [member for member, has in zip(members, found) if has]  # noqa: B905 (strict= came with Python 3.10)


def _dependencies(config: dict[str, Any]) -> list[str]:
    """Containers that this one can only run beside: --volumes-from, --link, --network/--pid/--ipc container:X."""
    host = config.get("HostConfig") or {}
    found = [str(item).split(":", 1)[0] for key in ("VolumesFrom", "Links") for item in host.get(key) or ()]
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, other = str(host.get(key) or "").partition(":")
        if kind == "container" and other:
            found.append(other)
    return found


def _host_ports(config: dict[str, Any]) -> set[int]:
    bindings = (config.get("HostConfig") or {}).get("PortBindings") or {}
    ports = [str(one.get("HostPort") or "") for many in bindings.values() for one in many or ()]
    return {int(port) for port in ports if port.isdigit()}
