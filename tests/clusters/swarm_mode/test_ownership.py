"""Whether an engine's cluster is its machine's: what was recorded decides, never the silence of others."""

from __future__ import annotations

import pytest

from machine.clusters.swarm_mode.api import LocalNode, parse_local_node
from machine.clusters.swarm_mode.membership import Membership
from machine.clusters.swarm_mode.ownership import is_own_cluster


def engine(node: str = "n1", cluster: str = "c1") -> LocalNode:
    """An engine that is a member; only a manager names its cluster."""
    return LocalNode("active", node, "192.0.2.1", bool(cluster), "", cluster, ())


@pytest.mark.parametrize(
    ("recorded", "here", "others", "expected"),
    [
        (Membership("manager"), engine(), (), False),
        (Membership("manager"), engine(cluster=""), (), None),
        (Membership("manager"), engine(), ("c1",), True),
        (Membership("manager"), engine(), ("c2",), False),
        (Membership("manager", founder=True), engine(), (), True),
        (Membership("manager", founder=True), engine(cluster=""), (), None),
        (Membership("manager", founder=True, node_id="n0", cluster_id="c0"), engine(), (), False),
        (Membership("worker", cluster_id="c1"), engine(), (), True),
        (Membership("worker", node_id="n1"), engine(cluster=""), (), True),
        (Membership("worker", node_id="n1"), engine("n2", ""), (), None),
        (Membership("worker"), engine("", ""), (), None),
    ],
)
def test_own_cluster(recorded: Membership, here: LocalNode, others: tuple[str, ...], expected: bool | None) -> None:
    assert is_own_cluster(recorded, here, others) is expected


@pytest.mark.parametrize(
    "found", [None, [], "x", {}, {"Cluster": "x"}, {"RemoteManagers": {"a": 1}}, {"RemoteManagers": ["x", {"Addr": 5}]}]
)
def test_an_engine_that_answers_anything_is_no_member(found: object) -> None:
    assert parse_local_node(found).state == "inactive"
