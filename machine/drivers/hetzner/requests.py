"""What driver hetzner asks for, as Hetzner's bodies are. Pure: the config in, the request out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from machine.drivers.cloud import ports
from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.requests import filled
from machine.drivers.cloud.user_data import UserDataLimits
from machine.drivers.hetzner.config import OWN_LABEL, Config

USER_DATA = UserDataLimits("Hetzner", "--hetzner-user-data-file", 32 * 1024)
AUTO_SPREAD, AUTO_CREATED = "docker-machine/auto-spread", "docker-machine/auto-created"  # labels; the plugin's names
AUTO_SPREAD_NAME = "Docker-Machine auto spread"


def ssh_key(config: Config, name: str, public_key: str) -> dict[str, Any]:
    """A key that is added for the machine."""
    return {"name": name, "public_key": public_key, "labels": _labels(config, config.key_labels)}


def firewall(config: Config, name: str, cluster_ports: Sequence[int]) -> dict[str, Any]:
    """The machine's own firewall. It is for the public addresses: Hetzner lets everything pass inside of a network."""
    sources = list(config.allow_from or ports.EVERYBODY)
    rules = [
        {"direction": "in", "protocol": one.protocol, "port": one.ports, "source_ips": sources}
        for one in config.needed_port_ranges(cluster_ports)
    ]
    icmp = {"direction": "in", "protocol": "icmp", "source_ips": sources}
    return {"name": name, "labels": _labels(config), "rules": [*rules, icmp]}


def placement_group(config: Config) -> dict[str, Any]:
    """A group that may have machines of others too, so that it has no label of one machine."""
    labels = {AUTO_CREATED: "true", **({AUTO_SPREAD: "true"} if config.auto_spread else {})}
    return {"name": config.placement_group or AUTO_SPREAD_NAME, "type": "spread", "labels": labels}


def server(config: Config, name: str, user_data: str, key_ids: Sequence[int]) -> dict[str, Any]:
    """The server, with what was looked up and made for it."""
    body = filled(
        {
            "location": config.location,
            "ssh_keys": list(dict.fromkeys(key_ids)),
            "volumes": [int(number) for number in config.volume_ids],
            "networks": [int(number) for number in config.network_ids],
            "firewalls": [int(number) for number in config.firewall_ids] or filled({"": config.firewall_id}).values(),
            "placement_group": config.placement_group_id,
            "user_data": user_data,
        }
    )
    if config.no_ipv4 or config.no_ipv6 or config.primary_ipv4_id or config.primary_ipv6_id:
        existing = filled({"ipv4": config.primary_ipv4_id, "ipv6": config.primary_ipv6_id})
        body["public_net"] = {"enable_ipv4": not config.no_ipv4, "enable_ipv6": not config.no_ipv6, **existing}
    return {
        "name": name.rstrip("-.")[:253],
        "server_type": config.server_type,
        "image": config.found_image,
        "labels": _labels(config, config.server_labels),
        **body,
    }


def _labels(config: Config, more: dict[str, str] | None = None) -> dict[str, str]:
    return {**(more or {}), OWN_LABEL: config.machine_label}


def rules(firewalls: Sequence[Any]) -> list[Rule]:
    """What any of these firewalls lets in."""
    found = []
    for rule in (rule for wall in firewalls for rule in wall.rules or [] if rule.direction == "in"):
        first, _, last = str(rule.port).partition("-")
        if rule.protocol in ("tcp", "udp") and first.isdigit() and (last or first).isdigit():
            port_range = ports.PortRange(rule.protocol, int(first), int(last or first))
            found += [Rule(port_range, str(source)) for source in rule.source_ips]
    return found
