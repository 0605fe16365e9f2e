"""What a machine that was restored from a template is told, so that it becomes a machine of its own."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any, Self

from machine import names
from machine.drivers.base import DriverContext
from machine.drivers.qemu import argv, net, shape

ENTROPY = 64  # bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """A machine's own: name, ids, keys, addresses. `host_key` is (private, public)."""

    name: str
    uuid: str
    user: str
    public_key: str
    host_key: tuple[str, str]
    nat_mac: str
    peer: str

    @classmethod
    def of(cls, ctx: DriverContext, machine: argv.Machine, user: str, host_key: tuple[str, str]) -> Self:
        """Return the identity of `machine`, whose user logs in with the key of the context."""
        peer = machine.place.peer
        return cls(ctx.name, machine.uuid, user, ctx.public_key, host_key, machine.nat_mac, peer)

    def message(self, *, grow: bool) -> dict[str, Any]:
        """Return the line for the template agent, with the time of now and random bytes that nobody else gets.

        `grow`: the machine's disk is larger than the template's.
        """
        private, public = self.host_key
        return {
            "identity": {
                "hostname": names.hostname(self.name),
                "uuid": self.uuid,
                "machine_id": self.uuid.replace("-", ""),  # as systemd makes it in a virtual machine: machine-id(5)
                "boot_id": str(uuid.uuid4()),
                "user": self.user,
                "authorized_key": self.public_key,
                "host_key": private,
                "host_key_public": public.strip(),
                "nat_mac": self.nat_mac,
                "template_lan_mac": net.lan_mac(shape.PEER),
                "lan_mac": net.lan_mac(self.peer),
                "peer": self.peer,
                "bits": 24,
                "grow": grow,
                "entropy": secrets.token_hex(ENTROPY),
                "time": time.time(),
            }
        }
