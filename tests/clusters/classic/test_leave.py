"""Whatever was registered is taken out again."""

from __future__ import annotations

import io
from pathlib import Path

from machine.clusters.classic.leave import leave_swarm
from machine.console import Console
from machine.session import Session
from machine.store import Store
from tests.clusters.classic.members import saved_member


def test_masters_that_are_removed_with_their_nodes_may_be_gone_already(tmp_path: Path) -> None:
    err = io.StringIO()
    session = Session(Store(str(tmp_path)), Console(err), environ={})
    saved_member(session.store, "head", {}, master=True)
    node = saved_member(session.store, "node", {})
    leave_swarm(session, node, also_removed=["head", "node"])
    assert err.getvalue() == ""
    leave_swarm(session, session.store.load("node"))
    assert "head still lists node" in err.getvalue()
