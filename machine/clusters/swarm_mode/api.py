"""The engine's API of swarm mode: one function for each call.

https://docs.docker.com/reference/api/engine/, the sections Swarm, Node and Task. Every function raises what
machine.engine.EngineClient raises; a node that is no manager refuses (503) all but local, init, join, leave and unlock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from machine import hostport
from machine.clusters.swarm_mode.membership import Membership, nanoseconds
from machine.clusters.swarm_mode.nodes import Node, parse_node
from machine.engine import EngineClient
from machine.errors import EngineRefused

CONTROL_PORT = 2377  # a manager's port


@dataclass(frozen=True, slots=True)
class LocalNode:
    """What an engine says of itself."""

    state: str  # inactive, pending, active, error, locked
    node_id: str
    address: str  # that it advertises
    is_manager: bool
    error: str
    cluster_id: str  # managers know it
    managers: tuple[str, ...]  # ADDRESS:2377 of all managers


def control_address(address: str) -> str:
    """Return ADDRESS:2377, where a manager is reached, with brackets around an IPv6 address."""
    return hostport.join(address, CONTROL_PORT)


def local_node(engine: EngineClient) -> LocalNode:
    """Return what the engine says of its own membership (/info); every node answers that, a worker too."""
    return parse_local_node(engine.info().get("Swarm"))


def parse_local_node(found: object) -> LocalNode:
    """Return the object Swarm of /info as a LocalNode; what is missing or of a wrong type counts as inactive."""
    swarm = found if isinstance(found, Mapping) else {}
    cluster, managers = swarm.get("Cluster"), swarm.get("RemoteManagers")
    return LocalNode(
        state=str(swarm.get("LocalNodeState") or "inactive"),
        node_id=str(swarm.get("NodeID") or ""),
        address=str(swarm.get("NodeAddr") or ""),
        is_manager=bool(swarm.get("ControlAvailable")),
        error=str(swarm.get("Error") or ""),
        cluster_id=str(cluster.get("ID") or "") if isinstance(cluster, Mapping) else "",
        managers=tuple(
            str(one["Addr"])
            for one in (managers if isinstance(managers, list) else ())
            if isinstance(one, Mapping) and one.get("Addr")
        ),
    )


def init(engine: EngineClient, membership: Membership, advertise: str, pools: Sequence[str]) -> None:
    """Start a cluster with this engine as its first manager."""
    spec: dict[str, Any] = {"EncryptionConfig": {"AutoLockManagers": membership.autolock}}
    if membership.cert_expiry:
        spec["CAConfig"] = {"NodeCertExpiry": nanoseconds(membership.cert_expiry)}
    body: dict[str, Any] = {
        "ListenAddr": control_address("::" if ":" in advertise else "0.0.0.0"),
        "AdvertiseAddr": advertise,
        "DataPathAddr": membership.data_path,
        "Availability": membership.availability,
        "Spec": spec,
    }
    if pools:
        body |= {"DefaultAddrPool": list(pools), "SubnetSize": 24}
    engine.post("/swarm/init", body)


def join(engine: EngineClient, membership: Membership, advertise: str, managers: Sequence[str], token: str) -> None:
    """Ask the engine to join; it keeps trying in the background when it answers that the time is up."""
    body: dict[str, Any] = {
        "ListenAddr": control_address("::" if ":" in advertise else "0.0.0.0"),
        "AdvertiseAddr": advertise,
        "DataPathAddr": membership.data_path,
        "Availability": membership.availability,
        "RemoteAddrs": list(managers),
        "JoinToken": token,
    }
    try:
        engine.post("/swarm/join", body)
    except EngineRefused as error:
        if "will continue in the background" not in error.details:
            raise


def leave(engine: EngineClient) -> None:
    """Have the engine leave its cluster, as manager or worker; not to be in one is success."""
    try:
        engine.post("/swarm/leave?force=true")
    except EngineRefused as error:
        if "not part of a swarm" not in error.details:
            raise


def cluster(manager: EngineClient) -> dict[str, Any]:
    """Return /swarm: ID, Spec, Version, JoinTokens {Manager, Worker}, which are secrets that must not be kept."""
    found: dict[str, Any] = manager.get("/swarm")
    return found


def token(manager: EngineClient, role: str) -> str:
    """Return the token with which a machine joins as `role`."""
    return str(cluster(manager)["JoinTokens"][role.capitalize()])


def rotate(manager: EngineClient, role: str) -> None:
    """Replace the role's token by a new one."""
    current = cluster(manager)
    flag = f"rotate{role.capitalize()}Token=true"
    manager.post(f"/swarm/update?version={current['Version']['Index']}&{flag}", current["Spec"])


def unlock_key(manager: EngineClient) -> str:
    """Return the key that an autolocked manager needs after its engine was restarted; "" where there is none."""
    found = manager.get("/swarm/unlockkey")
    return str((found or {}).get("UnlockKey") or "")


def unlock(engine: EngineClient, key: str) -> None:
    """Give a locked engine its key."""
    engine.post("/swarm/unlock", {"UnlockKey": key})


def nodes(manager: EngineClient) -> list[Node]:
    """Return all nodes of the cluster."""
    return [parse_node(found) for found in manager.get("/nodes")]


def update(manager: EngineClient, node_id: str, *, role: str = "", availability: str = "") -> None:
    """Change a node's role or availability; another change at the same time makes it try again."""
    for attempt in range(5):
        current = parse_node(manager.get(f"/nodes/{node_id}"))
        spec = dict(current.spec)
        spec |= {"Role": role} if role else {}
        spec |= {"Availability": availability} if availability else {}
        if spec == current.spec:
            return
        try:
            manager.post(f"/nodes/{node_id}/update?version={current.index}", spec)
        except EngineRefused as error:
            if "out of sequence" not in error.details or attempt == 4:
                raise
        else:
            return


def forget(manager: EngineClient, node_id: str) -> None:
    """Take a node off the list; absent is success."""
    try:
        manager.delete(f"/nodes/{node_id}?force=true")
    except EngineRefused as error:
        if error.status != 404:
            raise


def tasks_left(manager: EngineClient, node_id: str) -> int:
    """Return how many tasks still run on a node."""
    filters = quote(json.dumps({"node": [node_id]}))
    running = ("running", "starting", "preparing", "ready", "assigned", "accepted")
    return sum(found["Status"]["State"] in running for found in manager.get(f"/tasks?filters={filters}") or [])
