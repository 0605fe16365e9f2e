"""Leaving a cluster of swarm mode: drained, demoted, left, off the list of nodes. Each step may be repeated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from machine import secrets
from machine.clusters.swarm_mode import api, members
from machine.clusters.swarm_mode.members import Manager
from machine.clusters.swarm_mode.membership import UNLOCK_KEY, Membership
from machine.clusters.swarm_mode.nodes import Node, quorum_risk
from machine.engine import EngineClient
from machine.errors import EngineError, EngineRefused, Interrupted, MachineError, SwarmModeError, WaitTimeout
from machine.session import Session
from machine.store import Record
from machine.wait import NotYet, until

DRAIN_SECONDS = 90.0
DEMOTE_SECONDS = 60.0


@dataclass(frozen=True)
class LeaveOperation:
    """One machine that leaves its cluster, and how."""

    session: Session
    record: Record
    membership: Membership
    local: api.LocalNode | None  # what its engine says, None if it does not answer
    keep_host: bool  # the host goes on after this
    force: bool
    also_removed: Collection[str]  # machines that are removed by the same command

    @property
    def name(self) -> str:
        return self.record.name

    def in_own_cluster(self, nodes: Collection[Node] = ()) -> bool:
        """Return whether the engine is in the cluster that this program brought it into.

        A host that was adopted may be in another's cluster.
        """
        node_id = self.local.node_id if self.local is not None else ""
        if node_id and node_id in {self.membership.node_id, *(one.id for one in nodes)}:
            return True
        asked_to_join = (
            self.membership.founder or self.membership.cluster_id
        )  # kept before the engine is asked to found or to join
        return bool(self.membership.node_id and not node_id) or bool(asked_to_join and not self.membership.node_id)

    def leave(self, nodes: Collection[Node] = ()) -> None:
        """Have the engine leave the cluster with `nodes`, if it is in it. One that does not answer is warned of."""
        if self.local is not None and self.local.state == "inactive":
            return
        if not self.in_own_cluster(nodes):
            if self.local is not None:
                self.session.console.warn(
                    f"{self.name} is in another cluster than {self.membership.cluster}, and stays there"
                )
            return
        try:
            api.leave(members.engine_of(self.record))
        except MachineError as error:
            if self.local is not None or isinstance(error, Interrupted):
                raise
            self.session.console.warn(f"{self.name} was not told that it is in no cluster any more: {error.brief}")

    def own_node(self, nodes: Collection[Node]) -> Node | None:
        """Return the machine's node out of `nodes`: the one that its engine names, else the one of its record."""
        named = self.local.node_id if self.local is not None else ""
        found = next((one for one in nodes if one.id == named), None)
        return found or members.own_node(self.record, self.membership, nodes)


def leave(session: Session, record: Record, *, keep_host: bool, force: bool, also_removed: Collection[str]) -> None:
    """Take the machine out of its cluster. Raises SwarmModeError if the cluster would break, unless `force`.

    With `force` what cannot be done is only warned of. `keep_host`: the host goes on after this; `also_removed`: the
    machines that the same command removes.
    """
    forget = partial(secrets.forget, session.store.directory(record.name), [UNLOCK_KEY], session.environ)
    if not force:
        _leave_gracefully(session, record, keep_host=keep_host, also_removed=also_removed)
        forget()
        return
    parts = [partial(_leave_gracefully, session, record, keep_host=keep_host, force=True, also_removed=also_removed)]
    if keep_host:
        parts.append(partial(_leave_anyway, session, record))
    for part in (*parts, forget):
        try:
            part()
        except Interrupted:
            raise
        except MachineError as error:
            session.console.warn(f"{error.brief}; it is removed anyway")


def _leave_gracefully(
    session: Session, record: Record, *, keep_host: bool, also_removed: Collection[str], force: bool = False
) -> None:
    membership = members.require_membership(record)
    session.console.step(f"Leaving the cluster {membership.cluster}")
    with members.cluster_lock(session, membership.cluster):
        _leave(
            LeaveOperation(session, record, membership, members.ask_local_node(record), keep_host, force, also_removed)
        )


def _leave_anyway(session: Session, record: Record) -> None:
    """Have the engine of a host that goes on leave, even if no manager could be told."""
    local = members.ask_local_node(record)
    if local is not None:
        LeaveOperation(
            session, record, members.require_membership(record), local, keep_host=True, force=True, also_removed=()
        ).leave()


def _leave(operation: LeaveOperation) -> None:
    """Leave by a manager that answers, best one that is not removed too; alone where none does."""
    cluster, leaving = operation.membership.cluster, {operation.name, *operation.also_removed}
    manager = members.find_manager(operation.session, cluster, excluding=leaving)
    manager = manager or members.find_manager(operation.session, cluster, excluding=[operation.name])
    if manager is not None:
        try:
            _leave_through(operation, manager)
        except EngineError:
            if manager.record.name not in operation.also_removed:
                raise  # else it is gone itself by now, by the same command
        else:
            return
    if not operation.force:
        _check_last_manager(operation)
    if operation.keep_host:
        operation.leave()


def _check_last_manager(operation: LeaveOperation) -> None:
    """Raise SwarmModeError if the cluster needs this machine. Called where no other manager of this store answers."""
    if operation.local is not None and operation.local.node_id and not operation.in_own_cluster():
        return
    if operation.local is not None and operation.local.is_manager:
        try:
            nodes = api.nodes(members.engine_of(operation.record))
        except EngineRefused as error:  # no leader: too few managers are there for anything to be changed
            raise _unreachable_error(operation, error.details) from None
        node = operation.own_node(nodes)
        if node is not None:
            _check_quorum(operation, nodes, node)
        return
    others = members.members(
        operation.session, operation.membership.cluster, excluding=[operation.name, *operation.also_removed]
    )
    staying = [other.name for other, its_membership in others if its_membership.node_id]
    if operation.membership.node_id and staying:
        raise _unreachable_error(operation, f"its other machines: {', '.join(staying)}")


def _unreachable_error(operation: LeaveOperation, details: str) -> SwarmModeError:
    others = members.members(
        operation.session, operation.membership.cluster, excluding=[operation.name, *operation.also_removed]
    )
    names = " ".join(other.name for other, its_membership in others if its_membership.role == "manager") or "NAME"
    return SwarmModeError(
        f"too few managers of the cluster {operation.membership.cluster} answer for {operation.name} to be taken"
        " off its list",
        details=details,
        resolution=f"machine start {names} for its managers;"
        f" machine rm -f {operation.name} removes it without informing them",
    )


def _leave_through(operation: LeaveOperation, manager: Manager) -> None:
    """Drain, demote and remove the machine's node by a manager that is another machine."""
    nodes = api.nodes(manager.engine)
    own = operation.own_node(nodes)
    removed_ids = _ids_of_removed(operation, nodes)
    if own is None:  # its engine is of another cluster, or of none any more
        if operation.keep_host:
            operation.leave(nodes)
        return
    cluster_ends = not any(
        node.id != own.id and node.id not in removed_ids for node in nodes
    )  # all of the cluster goes
    if not cluster_ends:
        if not operation.force:
            _check_quorum(operation, nodes, own)
        _drain(operation, manager.engine, own)
    if own.role == "manager" or own.is_manager:
        demote(operation.session, operation.record, manager.engine, own)
    if operation.keep_host or not cluster_ends:
        operation.leave(nodes)
    api.forget(manager.engine, own.id)  # even at the end: those that are removed next would take it for one that stays
    operation.session.console.info(f"{operation.name} has left the cluster {operation.membership.cluster}")


def _check_quorum(operation: LeaveOperation, nodes: list[Node], node: Node) -> None:
    reason = quorum_risk(nodes, node, _ids_of_removed(operation, nodes))
    if reason:
        others = members.members(
            operation.session, operation.membership.cluster, excluding=[operation.name, *operation.also_removed]
        )
        workers = [other.name for other, its_membership in others if its_membership.role != "manager"]
        raise SwarmModeError(
            f"the cluster {operation.membership.cluster} would break without {operation.name}",
            details=reason,
            resolution=f"make another manager first: machine swarm-mode promote {workers[0] if workers else 'NAME'};"
            f" machine rm -f {operation.name} removes it anyway",
        )


def _drain(operation: LeaveOperation, manager: EngineClient, node: Node) -> None:
    """Have the tasks of the node move to others. What has not moved in time is a warning."""
    api.update(manager, node.id, availability="drain")
    if node.state != "ready":
        return

    def probe() -> None:
        if api.tasks_left(manager, node.id):
            raise NotYet

    try:
        until(
            probe,
            what=f"the tasks of {operation.name} to move",
            seconds=DRAIN_SECONDS,
            clock=operation.session.clock,
        )
    except WaitTimeout as error:
        operation.session.console.warn(error.brief)


def demote(session: Session, record: Record, manager: EngineClient, node: Node) -> None:
    """Make a node a worker and wait until the managers count without it."""
    api.update(manager, node.id, role="worker")

    def probe() -> None:
        if any(one.id == node.id and one.is_manager for one in api.nodes(manager)):
            raise NotYet

    until(
        probe,
        what=f"{record.name} to be no manager any more",
        seconds=DEMOTE_SECONDS,
        clock=session.clock,
        resolution="see that most managers answer: machine swarm-mode ls",
    )


def _ids_of_removed(operation: LeaveOperation, nodes: list[Node]) -> set[str]:
    """Return the ids of the nodes of the machines that the same command removes."""
    found = set()
    for other, its_membership in members.members(
        operation.session, operation.membership.cluster, excluding=[operation.name]
    ):
        node = members.own_node(other, its_membership, nodes) if other.name in operation.also_removed else None
        if node is not None:
            found.add(node.id)
    return found
