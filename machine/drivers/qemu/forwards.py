"""The forwards of one machine at one address of this host, and bringing them to what is wanted."""

from __future__ import annotations

import re
import time

from machine import port_holder
from machine.drivers.qemu.qmp import NAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from machine.drivers.qemu.udp_relay import UdpRelays

    Port = tuple[str, int]  # ("tcp" or "udp", number)

RETRY = 5.0  # seconds between two tries at a port that cannot be had
MOST_FAILURES = 16  # ports of one report that are found to be taken: who has them costs a look at every process
_FORWARD = re.compile(r"^\s*(TCP)\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)", re.MULTILINE)


def existing(listing: str, address: str, fixed: Collection[Port]) -> set[Port]:
    """The forwards of TCP of an earlier forwarder, in what qemu's monitor prints for `info usernet`."""
    found = set()
    for kind, where, outside, inside in _FORWARD.findall(listing):
        if where == address and outside == inside and (kind.lower(), int(inside)) not in fixed:
            found.add((kind.lower(), int(outside)))
    return found


class Forwards:
    """The forwards that exist at `address`, and why others do not: qemu has those of TCP, `relays` those of UDP."""

    def __init__(
        self,
        monitor: Callable[[str], str],
        address: str,
        say: Callable[[str], None],
        why: Callable[[str, int, str], tuple[str, str]] = port_holder.why,
        now: Callable[[], float] = time.monotonic,
        *,
        relays: UdpRelays,
    ) -> None:
        self._monitor, self.address, self._say, self._why, self._now = monitor, address, say, why, now
        self._relays = relays
        self.open: set[Port] = set()
        self.refused: dict[Port, str] = {}  # why a port is not open, in a few words
        self._told: dict[Port, str] = {}  # what was said of it last
        self._retry_at: dict[Port, float] = {}
        self._six_before: set[Port] = set()
        self._six_told: set[Port] = set()

    def follow(self, ports: set[Port], *, close: bool = True) -> None:
        """Add what is missing and, if `close`, remove what is too much.

        A port that cannot be had is said once for each cause, and tried again every few seconds.
        """
        for kind, number in sorted(self.open - ports) if close else ():
            self._close_port(kind, number)
            self._say(f"closed {kind} port {number}")
            self.open.discard((kind, number))
        for port in [port for port in self._retry_at if port not in ports]:
            self._forget(port)
        failures = 0
        for port in sorted(ports - self.open, key=lambda port: (self._retry_at.get(port, 0.0), port)):
            if failures < MOST_FAILURES and self._now() >= self._retry_at.get(port, 0.0) and not self._add(port):
                failures += 1

    def warn_ipv6_only(self, ports: set[Port]) -> None:
        """Say once which ports cannot be reached from here; not those that are only about to be closed."""
        for kind, number in sorted((ports & self._six_before) - self._six_told):
            self._say(f"{kind} port {number} is open for IPv6 only, which does not lead here: publish it without [::]")
            self._six_told.add((kind, number))
        self._six_told &= ports
        self._six_before = ports

    def _add(self, port: Port) -> bool:
        """Open a port; whether it is open now."""
        kind, number = port
        complaint = self._open_port(kind, number)
        if not complaint:
            self.open.add(port)
            self._forget(port)
            self._say(f"opened {kind} port {number} at {self.address}")
            return True
        cause, resolution = self._why(self.address, number, kind)
        self._refuse(port, cause or complaint, resolution if cause else "")
        return False

    def _open_port(self, kind: str, number: int) -> str:
        """Open a port; return what is said against it, "" if it is open."""
        if kind == "udp":
            return self._relays.open(self.address, number)
        said = self._monitor(f"hostfwd_add {NAT} {kind}:{self.address}:{number}-:{number}")
        return f"qemu says: {' '.join(said.split())}" if said else ""

    def _close_port(self, kind: str, number: int) -> None:
        if kind == "udp":
            self._relays.close(self.address, number)
        else:
            self._monitor(f"hostfwd_remove {NAT} {kind}:{self.address}:{number}")

    def _refuse(self, port: Port, cause: str, resolution: str) -> None:
        self.refused[port] = cause
        self._retry_at[port] = self._now() + RETRY
        told = f"{cause}; {resolution}" if resolution else cause
        if self._told.get(port) != told:
            self._told[port] = told
            self._say(f"cannot open {port[0]} port {port[1]} at {self.address}: {told}")

    def _forget(self, port: Port) -> None:
        for known in (self.refused, self._told):
            known.pop(port, None)
        self._retry_at.pop(port, None)
