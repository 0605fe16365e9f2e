"""Before two nodes are joined: do the ports get through, both ways?"""

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
    """SwarmModeError naming each port that does not get through, and who must let it.

    What cannot be found out (no python3 on a host, say) is a warning: joining tells soon enough. `behind_nat` says that
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
    missing = ports.closed(here, there, answers)
    if not missing:
        return
    seen, todo = ports.explain(missing)
    if behind_nat:
        todo = f"make both with one driver, or {todo}; {CLASSIC}"
    elif record.driver_name != other.driver_name and _hidden(record, here) + _hidden(other, there):
        names = " and ".join(_hidden(record, here) + _hidden(other, there))
        todo += f"; or, as {names} is known by an address of its own cloud only, make it with --swarm-addr public"
    elif home := ports.at_home(missing):
        seen += f"\n{home} uses an address of its own network, which nothing outside of it can reach"
        todo += f"; or, if {home} is behind NAT: {CLASSIC}"
    raise SwarmModeError(f"{here.name} and {there.name} cannot form a cluster", details=seen, resolution=todo)


def _hidden(record: Record, side: Side) -> list[str]:
    """The machine's name if it goes by an address that only its neighbours may reach."""
    endpoint = record.endpoint()
    return [side.name] if endpoint is not None and side.address == endpoint.peer_address != endpoint.address else []
