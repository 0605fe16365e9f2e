"""The ports that two nodes must reach at each other: a probe of them, and what to do about closed ones.

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

SECONDS, PATIENCE = 6.0, 25.0  # to try after the first packet of the other side, and to wait for that
CONTROL, GOSSIP, OVERLAY = 2377, 7946, 4789


@dataclass(frozen=True, slots=True)
class Side:
    """One of two nodes."""

    name: str  # the machine's
    address: str  # that it advertises
    firewall: str  # what its platform calls its firewall
    is_manager: bool

    def ports(self) -> dict[str, list[int]]:
        """Return the ports at which it must be reached, by protocol."""
        return {"tcp": [CONTROL, GOSSIP] if self.is_manager else [GOSSIP], "udp": [GOSSIP, OVERLAY]}


@dataclass(frozen=True, slots=True)
class Closed:
    """A port of `target` that `source` does not reach: "silent" (dropped) or "refused" (nobody there, or rejected)."""

    source: Side
    target: Side
    protocol: str
    port: int
    result: str


def closed_ports(one: Side, other: Side, answers: dict[str, dict[str, Any]]) -> list[Closed]:
    """Return the ports that cannot be reached, from what the prober printed on each side (by the machine's name)."""
    found = []
    for source, target in ((one, other), (other, one)):
        for port, result in answers[source.name]["tcp"].items():
            if result != "open":
                found.append(Closed(source, target, "tcp", int(port), result))
        for port, result in answers[target.name]["udp"].items():
            if result == "silent":
                found.append(Closed(source, target, "udp", int(port), result))
    return found


def explain(missing: list[Closed]) -> tuple[str, str]:
    """Return (details, resolution) for an error about closed ports; one line for each direction."""
    seen, remedies = [], []
    for source, target in dict.fromkeys((one.source, one.target) for one in missing):
        ports = [one for one in missing if (one.source, one.target) == (source, target)]
        names = ", ".join(f"{one.port}/{one.protocol}" for one in ports)
        seen.append(f"{source.name} does not reach {target.name} ({target.address}) at {names}")
        remedies.append(f"let {names} from {source.address} into {target.firewall} of {target.name}")
        if any(one.result == "refused" for one in ports):
            seen[-1] += "; some were refused, as a host's own firewall does"
    return "\n".join(seen), "; ".join(remedies)


def name_in_private_network(missing: list[Closed]) -> str:
    """Return the machine with a private address that one with a public address does not reach; "" if there is none."""
    for one in missing:
        inside, outside = (ipaddress.ip_address(side.address.partition("%")[0]) for side in (one.target, one.source))
        if outside.is_global and not inside.is_global:
            return one.target.name
    return ""


def probe(
    one: Side, other: Side, shells: dict[str, Shell], seconds: float = SECONDS, patience: float = PATIENCE
) -> dict[str, dict[str, Any]] | str:
    """Run the prober on both sides at the same time; return what each printed, or why one of them could not run it."""
    with open(os.path.join(os.path.dirname(__file__), "prober.py"), "rb") as file:
        program = file.read()
    mark = os.urandom(6).hex()
    answers: dict[str, dict[str, Any] | str] = {}

    def run(here: Side, there: Side) -> None:
        request = {
            "peer": there.address,
            "listen": here.ports(),
            "reach": there.ports(),
            "say": f"{mark}-{here.name}",
            "hear": f"{mark}-{there.name}",
            "seconds": seconds,
            "patience": patience,
        }
        answers[here.name] = _run(shells[here.name], program, json.dumps(request), patience)

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


def _run(shell: Shell, program: bytes, request: str, patience: float) -> dict[str, Any] | str:
    """Run the prober on one side; return its answer, or why there is none."""
    as_root = 'S=; [ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && S="sudo -n"; }'
    try:
        result = shell.run(f"{as_root}; $S python3 - {shlex.quote(request)}", stdin=program, timeout=patience + 30)
    except MachineError as error:
        return error.brief
    if result.status == 127:
        return "it has no python3"
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        return (result.output.strip().splitlines() or ["the check said nothing"])[-1][:200]
    return answer if isinstance(answer, dict) else "the check said nothing"
