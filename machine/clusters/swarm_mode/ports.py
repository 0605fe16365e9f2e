"""Which ports two nodes need of each other, what did not get through, and who must let it. Pure but for two shells.

https://docs.docker.com/engine/swarm/swarm-tutorial/#open-protocols-and-ports-between-the-hosts: managers are reached at
2377/tcp, every node at 7946/tcp, 7946/udp and 4789/udp.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shlex
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machine.errors import MachineError

if TYPE_CHECKING:
    from machine.ssh.client import Shell

SECONDS, PATIENCE = 6.0, 25.0  # after the first sign of the other side, and until it
CONTROL, GOSSIP, OVERLAY = 2377, 7946, 4789


@dataclass(frozen=True, slots=True)
class Side:
    """One of two nodes."""

    name: str  # the machine's
    address: str  # that it advertises
    firewall: str  # what its platform calls the thing that lets packets in
    manager: bool

    def ports(self) -> dict[str, list[int]]:
        """What it must be reached at."""
        return {"tcp": [CONTROL, GOSSIP] if self.manager else [GOSSIP], "udp": [GOSSIP, OVERLAY]}


@dataclass(frozen=True, slots=True)
class Closed:
    """A port of `at` that `source` does not reach: "silent" (dropped) or "refused" (nobody there, or rejected)."""

    source: Side
    at: Side
    protocol: str
    port: int
    how: str


def closed(one: Side, other: Side, answers: dict[str, dict[str, Any]]) -> list[Closed]:
    """What does not get through, out of what the prober printed on each side (by the machine's name)."""
    found = []
    for source, at in ((one, other), (other, one)):
        for port, how in answers[source.name]["tcp"].items():
            if how != "open":
                found.append(Closed(source, at, "tcp", int(port), how))
        for port, how in answers[at.name]["udp"].items():
            if how == "silent":
                found.append(Closed(source, at, "udp", int(port), how))
    return found


def explain(missing: list[Closed]) -> tuple[str, str]:
    """(what was seen, what to do) for an error; one line for each direction."""
    seen, todo = [], []
    for source, at in dict.fromkeys((one.source, one.at) for one in missing):
        ports = [one for one in missing if (one.source, one.at) == (source, at)]
        names = ", ".join(f"{one.port}/{one.protocol}" for one in ports)
        seen.append(f"{source.name} does not reach {at.name} ({at.address}) at {names}")
        todo.append(f"let {names} from {source.address} into {at.firewall} of {at.name}")
        if any(one.how == "refused" for one in ports):
            seen[-1] += "; some were refused, as a host's own firewall does"
    return "\n".join(seen), "; ".join(todo)


def at_home(missing: list[Closed]) -> str:
    """The machine that goes by an address of its own network and is not reached by one with a public address; or ""."""
    for one in missing:
        inside, outside = (ipaddress.ip_address(side.address.partition("%")[0]) for side in (one.at, one.source))
        if outside.is_global and not inside.is_global:
            return one.at.name
    return ""


def probe(
    one: Side, other: Side, shells: dict[str, Shell], seconds: float = SECONDS, patience: float = PATIENCE
) -> dict[str, dict[str, Any]] | str:
    """Run the prober on both, side by side; what each printed, or why one of them could not run it."""
    with open(os.path.join(os.path.dirname(__file__), "prober.py"), "rb") as file:
        program = file.read()
    mark = os.urandom(6).hex()
    answers: dict[str, dict[str, Any] | str] = {}

    def run(here: Side, there: Side) -> None:
        asked = {
            "peer": there.address,
            "listen": here.ports(),
            "reach": there.ports(),
            "say": f"{mark}-{here.name}",
            "hear": f"{mark}-{there.name}",
            "seconds": seconds,
            "patience": patience,
        }
        answers[here.name] = _run(shells[here.name], program, json.dumps(asked), patience)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {}
    for name, answer in answers.items():
        if isinstance(answer, str):
            return f"{name}: {answer}"
        found[name] = answer
    return found


def _run(shell: Shell, program: bytes, asked: str, patience: float) -> dict[str, Any] | str:
    """The prober's answer on one side, or why there is none."""
    as_root = 'S=; [ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && S="sudo -n"; }'
    try:
        done = shell.run(f"{as_root}; $S python3 - {shlex.quote(asked)}", stdin=program, timeout=patience + 30)
    except MachineError as error:
        return error.brief
    if done.status == 127:
        return "it has no python3"
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return (done.output.strip().splitlines() or ["the check said nothing"])[-1][:200]
    return answer if isinstance(answer, dict) else "the check said nothing"
