"""The bodies of what driver digitalocean asks for. Pure: the Driver object in, the request out.

https://docs.digitalocean.com/reference/api/digitalocean/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.cloud import ports
from machine.drivers.digitalocean import config
from machine.drivers.digitalocean.options import NO_FIREWALL

LARGEST_USER_DATA = 64 * 1024  # bytes
ENGINE_PORT = 2376


def tag(machine_id: str) -> str:
    """The tag that everything of one machine carries, where DigitalOcean has tags."""
    return f"machine-id:{machine_id}"


def own_name(name: str, machine_id: str) -> str:
    """Of the key, the firewall and the volume made for a machine: its name and what tells it from others.

    Volumes have the narrowest rule: small letters, digits and dashes, 64 at most, a letter first.
    """
    word = name.lower().replace(".", "-")[:48].rstrip("-")
    return f"{word if word[:1].isalpha() else 'm-' + word}-{machine_id[:12]}"


def droplet(data: Mapping[str, Any], name: str, joined: Sequence[str], user_data: str) -> dict[str, Any]:
    """One droplet as `data` has it; `joined` are tags by which firewalls select it, besides the machine's own."""
    image = str(data["Image"])
    found: dict[str, Any] = {
        "name": name.rstrip("-.")[:255],
        "region": data["Region"],
        "size": data["Size"],
        "image": int(image) if image.isdigit() else image,
        "ssh_keys": [data["SSHKeyID"]],
        "backups": bool(data.get("Backups")),
        "ipv6": bool(data.get("IPv6")),
        "monitoring": bool(data.get("Monitoring")),
        "tags": list(dict.fromkeys([data["Tag"], *config.tags(str(data.get("Tags") or "")), *joined])),
    }
    volumes = [volume for volume in [*(data.get("VolumeIDs") or []), data.get("OwnVolumeID")] if volume]
    if volumes:
        found["volumes"] = volumes
    if data.get("VpcUUID"):
        found["vpc_uuid"] = data["VpcUUID"]
    if user_data:
        found["user_data"] = user_data
    return found


def has_own_firewall(data: Mapping[str, Any]) -> bool:
    """Whether a firewall is made for the machine; docker-machine's records know of none."""
    return not (data.get("Firewalls") or [])


def joins(data: Mapping[str, Any]) -> list[str]:
    """Names or ids of the firewalls to join."""
    return [name for name in data.get("Firewalls") or [] if name != NO_FIREWALL]


def firewall(data: Mapping[str, Any], swarm: Sequence[int], neighbours: Sequence[str]) -> dict[str, Any]:
    """A firewall that selects the machine by its tag. Where only some networks get in, `neighbours` do too."""
    wanted = ports.openings(int(data.get("SSHPort") or 22), ENGINE_PORT, swarm, data.get("OpenPorts") or [])
    allowed = data.get("AllowFrom") or []
    sources = {"addresses": list(dict.fromkeys([*allowed, *neighbours])) if allowed else list(ports.EVERYBODY)}
    out = {"addresses": list(ports.EVERYBODY)}
    return {
        "name": data["FirewallName"],
        "tags": [data["Tag"]],
        "inbound_rules": [{"protocol": o.protocol, "ports": o.ports, "sources": sources} for o in wanted],
        "outbound_rules": [
            {"protocol": protocol, "ports": "0", "destinations": out} for protocol in ("tcp", "udp", "icmp")
        ],
    }


def volume(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The volume made with the machine. It has no file system yet."""
    return {
        "name": data["OwnVolumeName"],
        "size_gigabytes": int(data["VolumeSize"]),
        "region": data["Region"],
        "description": f"disk of machine {name}",
        "tags": [data["Tag"]],
    }


def guarding(firewalls: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of the account's firewalls that the machine will be behind: the joined ones, and what its tags bring."""
    joined = data.get("Joined") or {}
    tags = {*config.tags(str(data.get("Tags") or "")), *joined.values()} - {""}
    return [wall for wall in firewalls if str(wall.get("id")) in joined or tags & set(wall.get("tags") or [])]


def closed(firewalls: Sequence[Mapping[str, Any]], data: Mapping[str, Any], swarm: Sequence[int]) -> list[str]:
    """A sentence for every port that the machine needs and no rule of these firewalls lets in.

    ssh and the engine are needed from here, so by address; other machines of a swarm may be let in as droplets or tags.
    """
    names = ", ".join(sorted(str(wall.get("name")) for wall in firewalls))
    said = f"no rule of the firewalls {names} lets port"
    found = []
    for port, what in ((int(data.get("SSHPort") or 22), "ssh"), (ENGINE_PORT, "Docker")):
        if all(" " in source for source in sources(firewalls, port)):
            found.append(f"{said} {port} in from here: {what} needs it")
    return found + [
        f"{said} {opening.first}/{opening.protocol} in: the swarm needs it"
        for opening in ports.swarm_openings(swarm)
        if not sources(firewalls, opening.first, opening.protocol)
    ]


def sources(firewalls: Sequence[Mapping[str, Any]], port: int, protocol: str = "tcp") -> list[str]:
    """From where a port can be reached through any of these firewalls, in words of the API: `tags web`, 10.0.0.0/8."""
    found: set[str] = set()
    for rule in (rule for wall in firewalls for rule in wall.get("inbound_rules") or []):
        first, _, last = str(rule.get("ports")).partition("-")
        if rule.get("protocol") != protocol or not first.isdigit():
            continue
        if first == "0" or int(first) <= port <= int(last or first):
            for kind, values in (rule.get("sources") or {}).items():
                found |= {value if kind == "addresses" else f"{kind} {value}" for value in values or []}
    return sorted(found)
