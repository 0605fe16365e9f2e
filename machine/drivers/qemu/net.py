"""Addresses, ports and MACs of machines.

On Linux all of 127.0.0.0/8 is local, so every machine gets a loopback address of its own and keeps the usual ports:
127.84.S.N, where S comes from the store's path (two stores seldom share it) and N from what is free. The machines'
own network is 10.84.S.N with the same numbers. Elsewhere all machines share 127.0.0.1, each with free ports.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from machine.errors import DriverError
from machine.hostport import ENGINE_PORT, MANAGER_PORT

PORT_SETS = (  # ssh, engine, swarm master: the best first. Port 22 needs root unless the host says otherwise
    (22, ENGINE_PORT, MANAGER_PORT),
    (2222, ENGINE_PORT, MANAGER_PORT),
    (22022, 12376, 13376),
    (22122, 22376, 23376),
)
HOSTS = range(1, 255)

Free = Callable[[str, int], bool]  # (address, port): may a server be opened there now?


@dataclass(frozen=True, slots=True)
class Lan:
    """Where the machines of one store meet: a third octet, and a multicast group with its UDP port."""

    octet: int
    group: str
    port: int


@dataclass(frozen=True, slots=True)
class NetworkAddress:
    """Where one machine is reached: from here by `address` and the three ports, by its peers at `peer`."""

    address: str
    peer: str
    ssh_port: int
    engine_port: int
    swarm_port: int


def lan_of(store_root: str) -> Lan:
    """The network of the store at this path: same path, same network."""
    digest = hashlib.sha256(store_root.encode("utf-8", "surrogateescape")).digest()
    port = 20000 + int.from_bytes(digest[3:5]) % 12000  # below the ports that the kernel gives to clients
    return Lan(octet=digest[0], group=f"239.84.{digest[1]}.{digest[2]}", port=port)


def recorded(data: Mapping[str, Any]) -> NetworkAddress:
    """Return the place of a machine from the Driver object of its record."""
    return NetworkAddress(
        address=str(data["IPAddress"]),
        peer=str(data["PeerAddress"]),
        ssh_port=int(data["SSHPort"]),
        engine_port=int(data["EnginePort"]),
        swarm_port=int(data.get("SwarmPort") or MANAGER_PORT),
    )


def choose(
    lan: Lan, taken: Collection[str], publish: Sequence[int], free: Free, *, own_addresses: bool
) -> NetworkAddress:
    """The first place that no sibling has (`taken`: addresses of both kinds) and whose ports are free right now.

    `own_addresses` is true on Linux. There, an address where only the usual ports are taken (by a server of the host
    that listens everywhere) is used with other ports when no better one is left. Raises DriverError if all are taken.
    """
    for ports in PORT_SETS if own_addresses else (None,):
        for address, peer in _candidates(lan, own_addresses):
            if peer in taken or (own_addresses and address in taken):
                continue
            place = NetworkAddress(address, peer, *(ports or _numbered(peer)))
            if all(free(address, port) for port in (place.ssh_port, place.engine_port, place.swarm_port, *publish)):
                return place
    wanted = ", ".join(str(port) for port in publish)
    tried = f"127.84.{lan.octet}.1 to .254" if own_addresses else f"10.84.{lan.octet}.1 to .254, all at 127.0.0.1"
    raise DriverError(
        "there is no free address for another machine",
        details=f"tried all of {tried}" + (f" with the published ports {wanted}" if wanted else ""),
        resolution="remove machines that are not needed (machine ls), or publish other ports (--qemu-publish)",
    )


def _candidates(lan: Lan, own_addresses: bool) -> Iterator[tuple[str, str]]:
    for host in HOSTS:
        yield (f"127.84.{lan.octet}.{host}" if own_addresses else "127.0.0.1"), f"10.84.{lan.octet}.{host}"


def _numbered(peer: str) -> tuple[int, int, int]:
    """Where all machines share one address: ports that follow from the machine's number."""
    number = int(peer.rpartition(".")[2])
    return 22000 + number, 23000 + number, 24000 + number


def can_listen(address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Whether this user may open a server there now: a real bind, given back at once."""
    with socket.socket(socket.AF_INET, kind) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((address, port))
            if kind is socket.SOCK_STREAM:
                server.listen(1)
        except OSError:
            return False
        return True


def nat_mac(machine_id: str) -> str:
    """MAC of the first card, from the machine's id; qemu's own prefix."""
    digest = hashlib.sha256(machine_id.encode()).digest()
    return "52:54:00:{:02x}:{:02x}:{:02x}".format(*digest[:3])


def lan_mac(peer: str) -> str:
    """MAC of the second card, from its address: unique on the machines' network. Locally administered."""
    return "02:54:{:02x}:{:02x}:{:02x}:{:02x}".format(*IPv4Address(peer).packed)
