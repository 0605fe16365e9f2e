"""Calls of Docker's swarm mode to something that is in no cluster of it: answered as such an engine answers them.

Clients ask to know in which state an engine is, and some leave a cluster before they begin, whether they are in one or
not; both read the status, which is 503 (https://docs.docker.com/reference/api/engine/, the sections Swarm, Node,
Service, Task, Secret and Config).
"""

from __future__ import annotations

from machine.swarm.pipeline import Refused, Request

GROUPS = ("swarm", "nodes", "services", "tasks", "secrets", "configs")
FOUNDING = ("/swarm/init", "/swarm/join")  # an engine would do these


def refuse_swarm_mode(request: Request, what: str) -> None:
    """Raise Refused when the call is one of swarm mode; `what` is a sentence that says who answers instead."""
    if request.path.lstrip("/").partition("/")[0] not in GROUPS:
        return
    if request.path in FOUNDING:
        raise Refused(501, what)
    if request.path == "/swarm/leave":
        raise Refused(503, f"This node is not part of a swarm. {what}")
    raise Refused(503, f"This node is not a swarm manager. {what}")
