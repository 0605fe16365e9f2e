"""An engine as clients of the swarm see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]


class NodeInfo(NamedTuple):
    """Name, id and address of an engine, and what classic Swarm's inspect says of it beside these."""

    name: str
    id: str = ""
    address: str = ""  # "10.0.0.5:2376", or the path of a socket
    ip: str = ""  # what "all addresses" means there; "" when that is not known
    cpus: int = 0
    memory: int = 0  # bytes
    labels: Mapping[str, str] = {}

    def described(self) -> Json:
        """Return the object `Node` of a container's inspect, as classic Swarm had it."""
        facts = {"ID": self.id, "IP": self.ip, "Addr": self.address, "Name": self.name}
        return {**facts, "Cpus": self.cpus, "Memory": self.memory, "Labels": dict(self.labels)}


Answers = Iterable["tuple[NodeInfo, Any]"]  # what each engine answered to one call
