"""Is the cluster that an engine is in the one that this program brought it into? Pure.

What an engine says of itself is compared with what the record said before the engine was asked to start a cluster or
to join one. That nobody contradicts proves nothing: an adopted host may have been in a cluster of its own all along.
"""

from __future__ import annotations

from collections.abc import Collection

from machine.clusters.swarm_mode.api import LocalNode
from machine.clusters.swarm_mode.membership import Membership


def is_own_cluster(recorded: Membership, here: LocalNode, cluster_ids: Collection[str] = ()) -> bool | None:
    """Return whether the engine is in its machine's cluster; None when only a manager of that cluster can tell.

    `recorded` is the machine's record, `here` what its engine says, `cluster_ids` are the ids of the cluster that the
    records of its other machines hold. Only managers know the id of the cluster that they are in.
    """
    if here.node_id and here.node_id == recorded.node_id:
        return True
    if recorded.founder and not recorded.node_id and here.is_manager:
        return True  # killed between the start of the cluster and the note of its id
    if here.cluster_id:
        return here.cluster_id in {recorded.cluster_id, *cluster_ids}
    return None
