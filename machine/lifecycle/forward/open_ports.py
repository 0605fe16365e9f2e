"""The ports of one machine that are open here, and bringing them to what its engine says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from machine import port_holder
from machine.forwarded_ports import Port, name
from machine.lifecycle.forward.listeners import Listener, listen
from machine.lifecycle.forward.published import Published
from machine.lifecycle.forward.tunnel import Tunnel

RETRY = 5.0  # seconds between two tries at a port that cannot be had


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a port is not open here, and when it is tried again."""

    published: Published
    reason: str
    retry_at: float


class OpenPorts:
    """Listeners at `address`. `say` is told what was opened and closed, `warn` what could not be."""

    def __init__(
        self,
        address: str,
        tunnel: Tunnel,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address, self._tunnel, self._say, self._warn, self._now = address, tunnel, say, warn, now
        self.open: dict[Port, Listener] = {}
        self.refused: dict[Port, Refusal] = {}

    def follow(self, wanted: Mapping[Port, Published], *, udp_refusal: str = "") -> None:
        """Open and close ports; `udp_refusal` says why there can be none of UDP.

        A port that cannot be had is said once for each cause, and tried again every few seconds.
        """
        for port in [port for port, listener in self.open.items() if not _same(listener.published, wanted.get(port))]:
            self.open.pop(port).close()
            self._say(f"closed {self.address}:{name(port)}")
        self.refused = {port: refusal for port, refusal in self.refused.items() if port in wanted}
        for port, published in wanted.items():
            if port in self.open or (port in self.refused and self._now() < self.refused[port].retry_at):
                continue
            if port[0] == "udp" and udp_refusal:
                self._refuse(port, published, udp_refusal)
                continue
            try:
                self.open[port] = listen(self.address, published, self._tunnel)
            except OSError as error:
                cause, resolution = port_holder.why(self.address, published.port, port[0])
                self._refuse(port, published, cause or error.strerror or str(error), resolution)
                continue
            self.refused.pop(port, None)
            self._say(f"opened {self.address}:{name(port)}, published by {published.container or 'a container'}")

    def _refuse(self, port: Port, published: Published, reason: str, resolution: str = "") -> None:
        before = self.refused.get(port)
        self.refused[port] = Refusal(published, reason, self._now() + RETRY)
        if before is None or before.reason != reason:
            told = f"{reason}; {resolution}" if resolution else reason
            self._warn(f"port {name(port)} cannot be opened at {self.address}: {told}")

    def close(self) -> None:
        """Give all ports back."""
        for listener in self.open.values():
            listener.close()
        self.open.clear()
        self.refused.clear()


def _same(one: Published, other: Published | None) -> bool:
    return other is not None and one.target == other.target
