"""Check before two nodes are joined that each reaches the ports of the other."""

from __future__ import annotations

import contextlib

from machine import clients
from machine.clusters.swarm_mode import ports
from machine.clusters.swarm_mode.ports import Side
from machine.errors import MachineError, SwarmModeError
from machine.session import Session
from machine.ssh.client import Shell
from machine.store import Record

CLASSIC = (
    "a cluster over such a border is what classic Swarm is for, whose master only makes connections:"
    " machine create --swarm --swarm-master NAME, or machine swarm manage on this computer"
)


def check(session: Session, record: Record, here: Side, other: Record, there: Side, *, behind_nat: bool) -> None:
    """Raise SwarmModeError naming each port that cannot be reached, and which firewall must let it through.

    What cannot be found out (no python3 on a host, say) is a warning: joining fails soon enough. `behind_nat` says that
    one of the two is behind this computer's NAT.
    """
    session.console.step(f"Checking the ports between {here.name} and {there.name}")
    with contextlib.ExitStack() as stack:
        shells: dict[str, Shell] = {}
        try:
            for one in (record, other):
                endpoint = one.endpoint()
                assert endpoint is not None, "both machines have answered over their engines"  # noqa: S101
                shells[one.name] = stack.enter_context(clients.connect(one, endpoint))
        except MachineError as error:
            session.console.warn(f"the ports between {here.name} and {there.name} were not checked: {error.brief}")
            return
        answers = ports.probe(here, there, shells)
    if isinstance(answers, str):
        session.console.warn(f"the ports between {here.name} and {there.name} were not checked: {answers}")
        return
    missing = ports.closed_ports(here, there, answers)
    if not missing:
        return
    seen, resolution = ports.explain(missing)
    if behind_nat:
        resolution = f"make both with one driver, or {resolution}; {CLASSIC}"
    elif record.driver_name != other.driver_name and _known_by_peer_address(record, here) + _known_by_peer_address(
        other, there
    ):
        names = " and ".join(_known_by_peer_address(record, here) + _known_by_peer_address(other, there))
        resolution += f"; or, as {names} is known by an address of its own cloud only, make it with --swarm-addr public"
    elif private := ports.name_in_private_network(missing):
        seen += f"\n{private} uses an address of its own network, which nothing outside of it can reach"
        resolution += f"; or, if {private} is behind NAT: {CLASSIC}"
    raise SwarmModeError(f"{here.name} and {there.name} cannot form a cluster", details=seen, resolution=resolution)


def _known_by_peer_address(record: Record, side: Side) -> list[str]:
    """Return [the machine's name] if it advertises an address that only its own network may reach, else []."""
    endpoint = record.endpoint()
    return [side.name] if endpoint is not None and side.address == endpoint.peer_address != endpoint.address else []
