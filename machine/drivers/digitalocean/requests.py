"""The bodies of what driver digitalocean asks for. Pure: the config in, the request out.

https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.cloud import ports
from machine.drivers.cloud.create_once import own_name as name_with_id
from machine.drivers.cloud.firewall import Rule
from machine.drivers.cloud.user_data import UserDataLimits
from machine.drivers.digitalocean.config import Config, split_tags

USER_DATA = UserDataLimits("DigitalOcean", "--digitalocean-userdata", 64 * 1024)


def tag(machine_id: str) -> str:
    """The tag that everything of one machine carries, where DigitalOcean has tags."""
    return f"machine-id:{machine_id}"


def own_name(name: str, machine_id: str) -> str:
    """Of the key, the firewall and the volume made for a machine: its name and what tells it from others.

    Volumes have the narrowest rule: small letters, digits and dashes, 64 at most, a letter first.
    """
    word = name.lower().replace(".", "-")[:48].rstrip("-")
    return name_with_id(word if word[:1].isalpha() else f"m-{word}", machine_id)


def droplet(config: Config, name: str, user_data: str) -> dict[str, Any]:
    """The droplet, with the tags by which the firewalls that it joins select it."""
    image = config.image
    body: dict[str, Any] = {
        "name": name.rstrip("-.")[:255],
        "region": config.region,
        "size": config.size,
        "image": int(image) if image.isdigit() else image,
        "ssh_keys": [config.ssh_key_id],
        "backups": config.backups,
        "ipv6": config.ipv6,
        "monitoring": config.monitoring,
        "tags": [
            tag
            for tag in dict.fromkeys(
                [config.tag, *split_tags(config.tags), *(config.attached_firewalls or {}).values()]
            )
            if tag
        ],
    }
    volumes = [volume for volume in [*config.volume_ids, config.own_volume_id] if volume]
    if volumes:
        body["volumes"] = volumes
    if config.vpc_uuid:
        body["vpc_uuid"] = config.vpc_uuid
    if user_data:
        body["user_data"] = user_data
    return body


def firewall(config: Config, cluster_ports: Sequence[int]) -> dict[str, Any]:
    """A firewall that selects the machine by its tag. Where only some networks get in, the VPC's own does too."""
    allowed = list(dict.fromkeys([*config.allow_from, *config.peer_cidrs])) if config.allow_from else ports.EVERYBODY
    sources = {"addresses": list(allowed)}
    out = {"addresses": list(ports.EVERYBODY)}
    return {
        "name": config.firewall_name,
        "tags": [config.tag],
        "inbound_rules": [
            {"protocol": o.protocol, "ports": o.ports, "sources": sources}
            for o in config.needed_port_ranges(cluster_ports)
        ],
        "outbound_rules": [
            {"protocol": protocol, "ports": "0", "destinations": out} for protocol in ("tcp", "udp", "icmp")
        ],
    }


def volume(config: Config, name: str) -> dict[str, Any]:
    """The volume made with the machine. It has no file system yet."""
    return {
        "name": config.own_volume_name,
        "size_gigabytes": config.volume_size,
        "region": config.region,
        "description": f"disk of machine {name}",
        "tags": [config.tag],
    }


def selecting(firewalls: Sequence[Mapping[str, Any]], config: Config) -> list[Mapping[str, Any]]:
    """Those of the account's firewalls that the machine will be behind: the joined ones, and what its tags bring."""
    joined = config.attached_firewalls or {}
    tags = {*split_tags(config.tags), *joined.values()} - {""}
    return [wall for wall in firewalls if str(wall.get("id")) in joined or tags & set(wall.get("tags") or [])]


def rules(firewalls: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """What any of these firewalls lets in. A source that is no network is in words of the API: `tags web`."""
    found = []
    for rule in (rule for wall in firewalls for rule in wall.get("inbound_rules") or []):
        first, _, last = str(rule.get("ports")).partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            continue
        span = (0, 65535) if first == "0" else (int(first), int(last or first))
        port_range = ports.PortRange(str(rule.get("protocol")), *span)
        for kind, values in (rule.get("sources") or {}).items():
            found += [
                Rule(port_range, f"{value}" if kind == "addresses" else f"{kind} {value}") for value in values or []
            ]
    return found
