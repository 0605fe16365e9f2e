"""Out of a cluster in good order: drained, demoted, gone, off the list. Each step may have been done before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from machine import secrets
from machine.clusters.swarm_mode import api, members
from machine.clusters.swarm_mode.members import Manager
from machine.clusters.swarm_mode.membership import UNLOCK_KEY, Membership
from machine.clusters.swarm_mode.nodes import Node, quorum_risk
from machine.engine import Engine
from machine.errors import EngineError, EngineRefused, Interrupted, MachineError, SwarmModeError, WaitTimeout
from machine.session import Session
from machine.store import Record
from machine.wait import NotYet, until

DRAIN_SECONDS = 90.0
DEMOTE_SECONDS = 60.0


@dataclass(frozen=True)
class LeaveOperation:
    """A machine on its way out of its cluster."""

    session: Session
    record: Record
    what: Membership
    here: api.LocalNode | None  # what its engine says, None if it does not answer
    keep_host: bool  # the host goes on after this
    force: bool
    also_removed: Collection[str]  # machines that are removed by the same command

    @property
    def name(self) -> str:
        return self.record.name

    def ours(self, nodes: Collection[Node] = ()) -> bool:
        """Whether the engine is where this program brought it: a host that was adopted may be in another's cluster."""
        there = self.here.node_id if self.here is not None else ""
        if there and there in {self.what.node_id, *(one.id for one in nodes)}:
            return True
        begun = self.what.founder or self.what.cluster_id  # kept before the engine is asked to found or to join
        return bool(self.what.node_id and not there) or bool(begun and not self.what.node_id)

    def leave(self, nodes: Collection[Node] = ()) -> None:
        """Have the engine itself leave `nodes`, if it is there. One that does not answer is given up, with a word."""
        if self.here is not None and self.here.state == "inactive":
            return
        if not self.ours(nodes):
            if self.here is not None:
                self.session.console.warn(
                    f"{self.name} is in another cluster than {self.what.cluster}, and stays there"
                )
            return
        try:
            api.leave(members.engine_of(self.record))
        except MachineError as error:
            if self.here is not None or isinstance(error, Interrupted):
                raise
            self.session.console.warn(f"{self.name} was not told that it is in no cluster any more: {error.brief}")

    def node(self, nodes: Collection[Node]) -> Node | None:
        """The machine's row: the one its engine names, else the one the record knows."""
        named = self.here.node_id if self.here is not None else ""
        found = next((one for one in nodes if one.id == named), None)
        return found or members.own_node(self.record, self.what, nodes)


def leave(session: Session, record: Record, *, stays: bool, force: bool, together: Collection[str]) -> None:
    """Take the machine out; with `force` what cannot be done is only said. `stays`: the host goes on after this."""
    forget = partial(secrets.forget, session.store.directory(record.name), [UNLOCK_KEY], session.environ)
    if not force:
        _leave_gracefully(session, record, stays=stays, together=together)
        forget()
        return
    parts = [partial(_leave_gracefully, session, record, stays=stays, force=True, together=together)]
    if stays:
        parts.append(partial(_leave_anyway, session, record))
    for part in (*parts, forget):
        try:
            part()
        except Interrupted:
            raise
        except MachineError as error:
            session.console.warn(f"{error.brief}; it is removed anyway")


def _leave_gracefully(
    session: Session, record: Record, *, stays: bool, together: Collection[str], force: bool = False
) -> None:
    what = members.require_membership(record)
    session.console.step(f"Leaving the cluster {what.cluster}")
    with members.cluster_lock(session, what.cluster):
        _leave(LeaveOperation(session, record, what, members.ask(record), stays, force, together))


def _leave_anyway(session: Session, record: Record) -> None:
    """The engine of a host that goes on is in no cluster afterwards, even if the managers would not let it go."""
    here = members.ask(record)
    if here is not None:
        LeaveOperation(
            session, record, members.require_membership(record), here, keep_host=True, force=True, also_removed=()
        ).leave()


def _leave(going: LeaveOperation) -> None:
    cluster, everybody = going.what.cluster, {going.name, *going.also_removed}
    manager = members.find_manager(going.session, cluster, but=everybody)
    manager = manager or members.find_manager(going.session, cluster, but=[going.name])
    if manager is not None:
        try:
            _with_help(going, manager)
        except EngineError:
            if manager.record.name not in going.also_removed:
                raise  # else it is gone itself by now, by the same command
        else:
            return
    if not going.force:
        _check_last_manager(going)
    if going.keep_host:
        going.leave()


def _check_last_manager(going: LeaveOperation) -> None:
    """No other manager of this store answers: SwarmModeError if somebody would miss this machine."""
    if going.here is not None and going.here.node_id and not going.ours():
        return
    if going.here is not None and going.here.is_manager:
        try:
            nodes = api.nodes(members.engine_of(going.record))
        except EngineRefused as error:  # no leader: too few managers are there for anything to be changed
            raise _unreachable(going, error.details) from None
        me = going.node(nodes)
        if me is not None:
            _check(going, nodes, me)
        return
    others = members.members(going.session, going.what.cluster, but=[going.name, *going.also_removed])
    stay = [other.name for other, theirs in others if theirs.node_id]
    if going.what.node_id and stay:
        raise _unreachable(going, f"its other machines: {', '.join(stay)}")


def _unreachable(going: LeaveOperation, details: str) -> SwarmModeError:
    others = members.members(going.session, going.what.cluster, but=[going.name, *going.also_removed])
    names = " ".join(other.name for other, theirs in others if theirs.role == "manager") or "NAME"
    return SwarmModeError(
        f"too few managers of the cluster {going.what.cluster} answer for {going.name} to be taken off its list",
        details=details,
        resolution=f"machine start {names} for its managers;"
        f" machine rm -f {going.name} removes it without informing them",
    )


def _with_help(going: LeaveOperation, manager: Manager) -> None:
    """The whole good order, through a manager that is not this machine."""
    nodes = api.nodes(manager.engine)
    me = going.node(nodes)
    ids = _ids(going, nodes)
    if me is None:  # its engine is of another cluster, or of none any more
        if going.keep_host:
            going.leave(nodes)
        return
    ends = not any(node.id != me.id and node.id not in ids for node in nodes)  # all of the cluster goes
    if not ends:
        if not going.force:
            _check(going, nodes, me)
        _drain(going, manager.engine, me)
    if me.role == "manager" or me.is_manager:
        demote(going.session, going.record, manager.engine, me)
    if going.keep_host or not ends:
        going.leave(nodes)
    api.forget(manager.engine, me.id)  # even at the end: those that are removed next would take it for one that stays
    going.session.console.info(f"{going.name} has left the cluster {going.what.cluster}")


def _check(going: LeaveOperation, nodes: list[Node], me: Node) -> None:
    reason = quorum_risk(nodes, me, _ids(going, nodes))
    if reason:
        others = members.members(going.session, going.what.cluster, but=[going.name, *going.also_removed])
        workers = [other.name for other, theirs in others if theirs.role != "manager"]
        raise SwarmModeError(
            f"the cluster {going.what.cluster} would break without {going.name}",
            details=reason,
            resolution=f"make another manager first: machine swarm-mode promote {workers[0] if workers else 'NAME'};"
            f" machine rm -f {going.name} removes it anyway",
        )


def _drain(going: LeaveOperation, manager: Engine, me: Node) -> None:
    """No more tasks for it, and those it has go elsewhere; one that does not in time is said."""
    api.update(manager, me.id, availability="drain")
    if me.state != "ready":
        return

    def probe() -> None:
        if api.tasks_left(manager, me.id):
            raise NotYet

    try:
        until(
            probe,
            what=f"the tasks of {going.name} to move",
            seconds=DRAIN_SECONDS,
            clock=going.session.clock,
        )
    except WaitTimeout as error:
        going.session.console.warn(error.brief)


def demote(session: Session, record: Record, manager: Engine, me: Node) -> None:
    """Make a node a worker and wait until the managers count without it."""
    api.update(manager, me.id, role="worker")

    def probe() -> None:
        if any(one.id == me.id and one.is_manager for one in api.nodes(manager)):
            raise NotYet

    until(
        probe,
        what=f"{record.name} to be no manager any more",
        seconds=DEMOTE_SECONDS,
        clock=session.clock,
        resolution="see that most managers answer: machine swarm-mode ls",
    )


def _ids(going: LeaveOperation, nodes: list[Node]) -> set[str]:
    """The nodes of the machines that go together with this one."""
    found = set()
    for other, theirs in members.members(going.session, going.what.cluster, but=[going.name]):
        node = members.own_node(other, theirs, nodes) if other.name in going.also_removed else None
        if node is not None:
            found.add(node.id)
    return found
