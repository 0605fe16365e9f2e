"""What driver hetzner asks for, as Hetzner's bodies are. Pure: the config in, the request out."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.cloud import ports
from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.requests import filled
from machine.drivers.cloud.user_data import UserDataLimits
from machine.drivers.hetzner.config import OWN_LABEL, Config

USER_DATA = UserDataLimits("Hetzner", "--hetzner-user-data-file", 32 * 1024)
AUTO_SPREAD, AUTO_CREATED = "docker-machine/auto-spread", "docker-machine/auto-created"  # labels; the plugin's names
AUTO_SPREAD_NAME = "Docker-Machine auto spread"


def own(config: Config, name: str, more: Mapping[str, str], **body: Any) -> dict[str, Any]:
    """The body of a thing that is made for one machine; `more` are labels."""
    return {"name": name, "labels": {**more, OWN_LABEL: config.machine_label}, **body}


def firewall_rules(config: Config, cluster_ports: Sequence[int]) -> list[dict[str, Any]]:
    """The rules of the machine's firewall. They are for public addresses: inside of a network everything passes."""
    rule = {"direction": "in", "source_ips": list(config.allow_from or ports.EVERYBODY)}
    ranges = config.needed_port_ranges(cluster_ports)
    return [{**rule, "protocol": one.protocol, "port": one.ports} for one in ranges] + [{**rule, "protocol": "icmp"}]


def placement_group(config: Config) -> dict[str, Any]:
    """A group that may have machines of others too, so that it has no label of one machine."""
    labels = {AUTO_CREATED: "true", **({AUTO_SPREAD: "true"} if config.auto_spread else {})}
    return {"name": config.placement_group or AUTO_SPREAD_NAME, "type": "spread", "labels": labels}


def server(config: Config, name: str, user_data: str, key_ids: Sequence[int]) -> dict[str, Any]:
    """The server, with what was looked up and made for it."""
    walls = [config.firewall_id] if config.firewall_id else config.firewall_ids
    body: dict[str, Any] = {
        "server_type": config.server_type,
        "image": config.found_image,
        "ssh_keys": list(dict.fromkeys(key_ids)),
        "location": config.location,
        "volumes": [int(number) for number in config.volume_ids],
        "networks": [int(number) for number in config.network_ids],
        "firewalls": [{"firewall": int(number)} for number in walls],
        "placement_group": config.placement_group_id,
        "user_data": user_data,
    }
    existing = filled({"ipv4": config.primary_ipv4_id, "ipv6": config.primary_ipv6_id})
    if config.no_ipv4 or config.no_ipv6 or existing:
        body["public_net"] = {"enable_ipv4": not config.no_ipv4, "enable_ipv6": not config.no_ipv6, **existing}
    return own(config, name.rstrip("-.")[:253], config.server_labels, **filled(body))


def rules(firewalls: Sequence[Any]) -> list[Rule]:
    """What any of these firewalls lets in."""
    found = []
    for rule in (rule for wall in firewalls for rule in wall.rules or [] if rule.direction == "in"):
        with contextlib.suppress(ValueError):  # of a protocol without ports
            port_range = ports.parse(f"{rule.port}/{rule.protocol}")
            found += [Rule(port_range, str(source)) for source in rule.source_ips]
    return found
