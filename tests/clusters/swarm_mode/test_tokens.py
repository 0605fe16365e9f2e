"""`machine swarm-mode token`: the token is the result, how it is used is said without it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from machine.clusters.swarm_mode import commands, membership
from machine.clusters.swarm_mode.membership import Membership
from machine.console import Console
from machine.session import Session
from machine.store import Record, Store
from machine.wait import SystemClock
from tests.lifecycle.fake_cluster import Node, serving


class Manager(Node):
    """A manager that gives tokens out, and its address among nodes."""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """As the node, and the token."""
        status, found = super().answer(method, path, body)
        if path == "/swarm":
            found["JoinTokens"] = {"Worker": "SWMTKN-1-w", "Manager": "SWMTKN-1-m"}
        elif path == "/info":
            found["Swarm"]["NodeAddr"] = "10.0.0.1"
        return status, found


def test_the_token_is_not_in_what_is_said(tmp_path: Path) -> None:
    session = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), SystemClock(), {"HOME": str(tmp_path)})
    node = Manager("m1", {})
    node.enter("manager")
    session.store.add("m1")
    with serving(node, Path(session.store.directory("m1"))):
        record = Record.new(session.store.root, "m1", "generic", {"IPAddress": "127.0.0.1", "EnginePort": node.port})
        wish = Membership("manager", "my shop", address="10.0.0.1", node_id=node.id, cluster_id=node.cluster)
        membership.set_membership(record, wish)
        record.phase = "ready"
        session.store.save(record)
        assert commands.token(session, "my shop", "worker") == "SWMTKN-1-w"
    assert isinstance(session.console.err, io.StringIO)
    said = session.console.err.getvalue()
    assert "docker -H ENGINE swarm join --token $(machine swarm-mode token worker 'my shop') 10.0.0.1:2377" in said
    assert "SWMTKN" not in said
