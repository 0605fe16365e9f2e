"""How a server of driver openstack is reached: its addresses, and what its security groups say to a login from here."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from machine.drivers.cloud.firewall import networks, reaches, sources
from machine.drivers.cloud.ports import PortRange
from machine.drivers.openstack import firewall
from machine.drivers.openstack.client import PORT, SECURITY_GROUP, Api, Json
from machine.model import Endpoint


def addresses(server: Mapping[str, Any], family: int, network: str) -> tuple[str, str]:
    """The first fixed and the first floating address of IPv4 (4) or IPv6 (6), "" for none; `network`'s come first."""
    entries: list[Json] = []
    for _, found in sorted((server.get("addresses") or {}).items(), key=lambda item: item[0] != network):
        entries += [entry for entry in found or [] if int(entry.get("version") or 0) == family and entry.get("addr")]
    floating = [str(entry["addr"]) for entry in entries if entry.get("OS-EXT-IPS:type") == "floating"]
    fixed = [str(entry["addr"]) for entry in entries if entry.get("OS-EXT-IPS:type") != "floating"]
    return next(iter(fixed), ""), next(iter(floating), "")


def ingress_problem(api: Api, server: Mapping[str, Any], endpoint: Endpoint) -> str:
    """Why its security groups keep a login from here out, "" if they do not."""
    ports = api.list_all(PORT, device_id=str(server["id"]))
    if any(not port.get("security_group_ids") and not port.get("is_port_security_enabled") for port in ports):
        return ""  # nothing guards that port; one that is guarded and in no group lets nothing in
    ids = {str(one) for port in ports for one in port.get("security_group_ids") or []}
    groups = [group for group in api.list_all(SECURITY_GROUP) if group.get("id") in ids]
    names = sorted(str(group.get("name")) for group in groups)
    rules, family = firewall.rules(groups), 6 if ":" in endpoint.address else 4

    def allowed(port: int) -> list[str]:
        return networks(sources(rules, PortRange("tcp", port, port), family))

    if not allowed(endpoint.ssh_port):
        problem = f"no rule of its security groups ({', '.join(names)}) lets port {endpoint.ssh_port} in from here"
        closed = [endpoint.ssh_port]
        if not allowed(endpoint.engine_port):
            problem, closed = f"{problem}, nor {endpoint.engine_port}", [*closed, endpoint.engine_port]
        return (
            f"{problem}; {' and '.join(_opening(port, family, min(names, default='GROUP')) for port in closed)} would"
        )
    here = _our_address(endpoint.address)
    if here and not reaches(here, allowed(endpoint.ssh_port)):
        only = ", ".join(allowed(endpoint.ssh_port))
        return f"its security groups ({', '.join(names)}) let port {endpoint.ssh_port} in from {only} only"
    return ""


def _opening(port: int, family: int, group: str) -> str:
    ethertype = " --ethertype IPv6" if family == 6 else ""
    return f"`openstack security group rule create --protocol tcp --dst-port {port}{ethertype} {group}`"


def _our_address(address: str) -> str:
    """From which address of ours a packet would go there, "" if no way is known. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""
