"""Which address and ports of this computer a machine has: chosen once, written down, looked at before each start."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from machine.drivers.base import Driver, DriverContext
from machine.drivers.qemu import net, preflight
from machine.errors import InProgress
from machine.hostport import ENGINE_PORT

PORTS_SECONDS = 2.0  # for a process that ended to let go of its ports
Ports = Sequence[tuple[int, int]]  # (host port, guest port) of what --qemu-publish opens


def free(ctx: DriverContext, publish: Ports) -> net.NetworkAddress:
    """Return a place that no machine of the store has and whose ports are free now. Raises DriverError if none is."""
    taken = {str(other.get(key)) for other in ctx.siblings() for key in ("IPAddress", "PeerAddress")}
    return net.choose(
        net.lan_of(ctx.store),
        taken,
        [host for host, _ in publish],
        net.can_listen,
        own_addresses=sys.platform.startswith("linux"),
    )


def assign(driver: Driver, data: dict[str, Any], publish: Ports) -> None:
    """Write addresses and ports down in `data`. One that another program has taken meanwhile is chosen anew."""
    ctx = driver.ctx
    with ctx.lock("qemu"):
        if data.get("IPAddress") and preflight.taken_port(net.recorded(data), publish) is None:
            return
        place = free(ctx, publish)
        data.update(
            IPAddress=place.address,
            PeerAddress=place.peer,
            SSHPort=place.ssh_port,
            EnginePort=place.engine_port,
            SwarmPort=place.swarm_port,
            ListenPort=ENGINE_PORT,
        )
        ctx.save(driver)
    if place.ssh_port != 22 and sys.platform.startswith("linux"):
        ctx.log(f"ssh of {ctx.name} is on port {place.ssh_port}: port 22 is not ours to open here")


class PortCheck:
    """Whether the ports of a machine are free, over several tries to start it."""

    def __init__(self) -> None:
        self._taken_since = math.inf

    def check(self, ctx: DriverContext, place: net.NetworkAddress, publish: Ports) -> None:
        """Raise DriverError if another program has a port of the machine.

        InProgress at first: a qemu that has just ended may hold them a moment longer than its pid file.
        """
        now = ctx.clock.now()
        port = preflight.taken_port(place, publish)
        if port is None:
            self._taken_since = math.inf
            return
        self._taken_since = min(self._taken_since, now)
        if now - self._taken_since < PORTS_SECONDS:
            raise InProgress(f"port {port} of {ctx.name} is not free yet")
        preflight.check_ports(place, publish)
