"""Docker's own swarm mode (SwarmKit): the cluster that engines form themselves, without a program of ours in it.

asked.py     what was asked of a machine and what came of it, as config.json keeps it
nodes.py     pure: whose node is whose, may a manager go, which addresses an overlay network may have
api.py       one function for each question to an engine (/swarm, /nodes, /tasks)
ports.py     which ports two nodes need of each other, what did not get through, and who must let it
prober.py    the program that runs on both nodes to find out
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KEY = "SwarmMode"  # of Machine in config.json
PORTS = (2377, 7946, 4789)  # control (tcp), gossip (tcp and udp), overlay networks (udp)


def ports_of(raw: Mapping[str, Any]) -> tuple[int, ...]:
    """What a platform's firewall has to let in for the machine of this record: PORTS, or nothing.

    Workers get the managers' port too, for they may be promoted.
    """
    return PORTS if (raw.get("Machine") or {}).get(KEY) else ()
