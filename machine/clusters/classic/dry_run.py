"""What `create --dry-run` says of a machine's part in a classic swarm."""

from __future__ import annotations

from machine.clusters.classic.addresses import manager_address
from machine.clusters.classic.discovery_route import resolve_route, without_token
from machine.clusters.classic.membership import is_served_by_our_programs
from machine.store import Record


def summary_lines(record: Record) -> list[str]:
    """Return the machine's roles, what they run as, the discovery without its token, and the manager's port."""
    options = record.swarm_options()
    roles = [name for name, has in (("manager", options.master), ("node", options.is_node)) if has]
    lines = [
        f"classic swarm: {' and '.join(roles)} ({', '.join(_remarks(record))})",
        f"  discovery {without_token(options.discovery)}",
    ]
    if options.master:
        lines.append(f"  the manager listens on port {manager_address(options).port}, strategy {options.strategy}")
    return lines


def _remarks(record: Record) -> list[str]:
    """Return what runs on the machine for its swarm, and how it becomes known there, for people."""
    options = record.swarm_options()
    if options.use_containers and not record.is_only_url():
        return ["docker-machine's containers"]
    route = resolve_route(options.discovery, {})  # the record names the service of a bare token
    own_agent = options.is_node and route.self_registering and is_served_by_our_programs(record)
    remarks = []
    if is_served_by_our_programs(record) and (options.master or own_agent):
        remarks.append("systemd units, and python3 if it is missing")
    if options.is_node and route.registered_by_create:
        remarks.append("registered from here")
    elif options.is_node and not own_agent:
        remarks.append("the discovery must list its address")
    return remarks
