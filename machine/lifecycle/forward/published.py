"""What containers publish, as the engine's list of containers says. Pure; nothing in it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

MOST_CONTAINERS = 20_000
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


def read(containers: Any) -> dict[tuple[str, int], Published]:
    """Return the published ports in an answer to GET /containers/json, by (kind, port).

    Of several addresses of one port that of IPv4 is taken. What is no port from 1 to 65535 at an address is left out.
    """
    found: dict[tuple[str, int], Published] = {}
    for container in containers[:MOST_CONTAINERS] if isinstance(containers, list) else ():
        if not isinstance(container, dict):
            continue
        ports = container.get("Ports")
        for entry in ports[:MOST_PORTS] if isinstance(ports, list) else ():
            port = _port(entry, _name(container))
            if port is None:
                continue
            key = (port.kind, port.port)
            if key not in found or (":" in found[key].target and ":" not in port.target):
                found[key] = port
    return dict(sorted(found.items(), key=lambda item: item[1])[:MOST_PORTS])


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
