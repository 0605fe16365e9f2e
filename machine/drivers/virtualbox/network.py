"""The host-only network: its addresses, and which of them a machine gets. Pure.

A machine's own address is fixed and lies before the range of the DHCP server, so that it never changes and needs no
server; the range is for machines that are not ours, and for boot2docker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from machine.errors import DriverError, UsageError

LIMITED_SINCE = (6, 1, 28)  # VirtualBox looks at networks.conf: manual, section Host-Only Networking
ALLOWED = "192.168.56.0/21"  # when there is no such file
CONFIG = "/etc/vbox/networks.conf"


@dataclass(frozen=True, slots=True)
class Plan:
    """Addresses of one host-only network."""

    host: IPv4Address
    network: IPv4Network
    dhcp_server: IPv4Address
    lower: IPv4Address
    upper: IPv4Address
    machines: tuple[IPv4Address, ...]

    @property
    def mask(self) -> str:
        return str(self.network.netmask)

    @property
    def bits(self) -> int:
        return self.network.prefixlen


def parse(cidr: str) -> Plan:
    """The plan of --virtualbox-hostonly-cidr. Raises UsageError if it is no address of this host with a prefix."""
    try:
        found = IPv4Interface(cidr)
    except ValueError:
        raise _wrong(cidr, "an IPv4 address and a prefix") from None
    network = found.network
    if "/" not in cidr or network.prefixlen > 28 or network.prefixlen < 8:
        raise _wrong(cidr, "a prefix from /8 to /28")
    if found.ip in (network.network_address, network.broadcast_address):
        raise _wrong(cidr, "an address inside of the network, not the network's own")
    size = min(network.num_addresses, 256)
    server, first, lower = (6, 10, 100) if size == 256 else (size // 4 - 1, size // 4, size // 2)
    base = network.network_address
    machines = tuple(base + number for number in range(first, lower) if base + number != found.ip)
    return Plan(found.ip, network, base + server, base + lower, base + (size - 2), machines)


def choose(plan: Plan, taken: Collection[str], store_root: str) -> str:
    """The first address that nobody has; each store begins elsewhere, so that two seldom want the same one."""
    count = len(plan.machines)
    start = int.from_bytes(hashlib.sha256(store_root.encode("utf-8", "surrogateescape")).digest()[:4]) % count
    for step in range(count):
        address = str(plan.machines[(start + step) % count])
        if address not in taken:
            return address
    raise DriverError(
        f"every address of {plan.network} for machines is taken",
        resolution="remove machines that are not needed (machine ls), or give another --virtualbox-hostonly-cidr",
    )


def allowed(plan: Plan, config: str | None) -> bool:
    """Whether VirtualBox lets this host have that address; `config` is the text of networks.conf, None for no file."""
    ranges = []
    for line in ("* " + ALLOWED if config is None else config).splitlines():
        words = line.split()
        if words[:1] == ["*"]:
            ranges += words[1:]
    for word in ranges:
        try:
            known = IPv4Network(word, strict=False)
        except ValueError:
            continue
        if plan.network.subnet_of(known):
            return True
    return False


def mac(machine_id: str, card: int) -> str:
    """The address of a machine's card 1 or 2, from its id; VirtualBox's own prefix. As 08:00:27:xx:xx:xx."""
    digest = hashlib.sha256(f"{machine_id} {card}".encode()).digest()
    return "08:00:27:{:02x}:{:02x}:{:02x}".format(*digest[:3])


def _wrong(cidr: str, wanted: str) -> UsageError:
    return UsageError(
        f"--virtualbox-hostonly-cidr cannot be {cidr!r}: it needs {wanted}",
        resolution="give this host's address on the network, such as --virtualbox-hostonly-cidr 192.168.59.1/24",
    )
