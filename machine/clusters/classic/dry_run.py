"""What `create --dry-run` says of a machine's part in a classic swarm."""

from __future__ import annotations

from machine.clusters.classic.addresses import manager_address
from machine.clusters.classic.discovery_route import resolve_route, without_token
from machine.clusters.classic.role import Role, resolve_role
from machine.model import SwarmOptions
from machine.store import Record


def summary_lines(record: Record) -> list[str]:
    """Return the machine's roles, what they run as, the discovery without its token, and the manager's port."""
    options = record.swarm_options()
    role = resolve_role(options, record)
    parts = [name for name, has in (("manager", role.is_master), ("node", role.is_node)) if has]
    lines = [
        f"classic swarm: {' and '.join(parts)} ({', '.join(_remarks(options, role))})",
        f"  discovery {without_token(options.discovery)}",
    ]
    if role.is_master:
        lines.append(f"  the manager listens on port {manager_address(options).port}, strategy {options.strategy}")
    return lines


def _remarks(options: SwarmOptions, role: Role) -> list[str]:
    """Return what runs on the machine for its swarm, and how it becomes known there, for people."""
    if role.uses_containers:
        return ["docker-machine's containers"]
    route = resolve_route(options.discovery, {})  # the record names the service of a bare token
    remarks = []
    if role.runs_manager or role.runs_agent(route):
        remarks.append("systemd units, and python3 if it is missing")
    if role.registered_by_create(route):
        remarks.append("registered from here")
    elif role.is_node and not role.runs_agent(route):
        remarks.append("the discovery must list its address")
    return remarks
