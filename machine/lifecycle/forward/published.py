"""What containers and services publish, as the engine's lists say. Pure; nothing in them is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

MOST_CONTAINERS = 20_000  # and so many services
MOST_PORTS = 1024  # of one machine; each is an open socket here
LONGEST_NAME = 64
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True, order=True)
class Published:
    """A port of a machine: `kind` is "tcp" or "udp", `target` the address at which the machine itself reaches it."""

    port: int
    kind: str
    target: str
    container: str = ""


def read(containers: Any, services: Any = ()) -> dict[tuple[str, int], Published]:
    """Return the published ports in answers to GET /containers/json and GET /services, by (kind, port).

    Of several addresses of one port that of IPv4 is taken. What is no port from 1 to 65535 at an address is left out.
    A port of a container counts more than one of a service.
    """
    found: dict[tuple[str, int], Published] = {}
    for container in _objects(containers):
        for entry in _entries(container.get("Ports")):
            port = _port(entry, _name(container))
            if port is None:
                continue
            key = (port.kind, port.port)
            if key not in found or (":" in found[key].target and ":" not in port.target):
                found[key] = port
    for port in _of_services(services):
        found.setdefault((port.kind, port.port), port)
    return dict(sorted(found.items(), key=lambda item: item[1])[:MOST_PORTS])


def _of_services(services: Any) -> Iterator[Published]:
    """The ports of services in the mode `ingress`, which every member of a swarm has; others are those of containers.

    A member has them at its addresses of IPv4.
    """
    for service in _objects(services):
        spec, endpoint = service.get("Spec"), service.get("Endpoint")
        name = spec.get("Name") if isinstance(spec, dict) else None
        label = name[:LONGEST_NAME] if isinstance(name, str) else ""
        for entry in _entries(endpoint.get("Ports") if isinstance(endpoint, dict) else None):
            if isinstance(entry, dict) and entry.get("PublishMode", "ingress") == "ingress":
                renamed = {"PublicPort": entry.get("PublishedPort"), "Type": entry.get("Protocol"), "IP": ""}
                port = _port(renamed, label)
                if port is not None:
                    yield port


def _objects(found: Any) -> list[dict[str, Any]]:
    listed = found[:MOST_CONTAINERS] if isinstance(found, list) else []
    return [one for one in listed if isinstance(one, dict)]


def _entries(found: Any) -> list[Any]:
    return found[:MOST_PORTS] if isinstance(found, list) else []


def _port(entry: Any, name: str) -> Published | None:
    if not isinstance(entry, dict):
        return None
    number, kind, address = entry.get("PublicPort"), entry.get("Type"), entry.get("IP", "")
    if type(number) is not int or not 0 < number < 65536 or kind not in ("tcp", "udp") or not isinstance(address, str):
        return None
    try:
        target = _ANY[address] if address in _ANY else str(ip_address(address))
    except ValueError:
        return None
    return Published(number, str(kind), target, name)


def _name(container: dict[str, Any]) -> str:
    names = container.get("Names")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    return first.lstrip("/")[:LONGEST_NAME]
