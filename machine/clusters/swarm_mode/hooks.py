"""Swarm mode's part in a machine's life (`create --swarm-mode`).

The record says what was asked for (Machine.SwarmMode), the engines say what is. Only they are believed: whatever moment
a command was killed at, the next one looks and goes on. Who changes a cluster holds the lock `swarm-mode-CLUSTER`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from machine.booleans import GO_TRUE
from machine.clusters.hooks import ClusterHooks, MachineDraft, Removal
from machine.clusters.swarm_mode import join, leave, members, membership, unlock_key
from machine.drivers.base import Driver
from machine.errors import UsageError
from machine.model import Endpoint
from machine.provision import Facts, Spec
from machine.session import Session
from machine.store import Record


class SwarmMode(ClusterHooks):
    """The calls of machine.clusters.hooks for a machine in a cluster of swarm mode."""

    def configure(self, draft: MachineDraft, environ: Mapping[str, str]) -> MachineDraft:  # noqa: ARG002
        """Return the plan as it is.

        Raises PreflightFailed where there is no host, UsageError for options that exclude it.
        """
        if not draft.has_host:
            raise join.no_host(draft.driver_name)
        check_options(draft.engine_flags)
        return draft

    def write_record(self, draft: MachineDraft, record: Record) -> None:
        """Put the membership that was asked for into the new record."""
        if draft.swarm_mode is not None:
            membership.set_membership(record, draft.swarm_mode)

    def check(self, session: Session, record: Record, driver: Driver) -> None:
        """Raise PreflightFailed when there is no cluster to join, or it could not be reached."""
        join.check(session, record, driver)

    def join_lines(self, record: Record) -> list[str]:
        """Return which cluster the machine joins, and as what."""
        its_membership = members.require_membership(record)
        return [f"   and add it to the cluster {its_membership.cluster} of swarm mode, as {its_membership.role}"]

    def check_host(self, session: Session, record: Record, facts: Facts) -> None:
        """Raise SwarmModeError for a host whose running engine is in a cluster that is not the machine's."""
        if facts.swarm:
            join.check_host(session, record, facts.swarm)

    def extend_spec(self, session: Session, record: Record, endpoint: Endpoint, spec: Spec) -> Spec:  # noqa: ARG002
        """Return the specification of a host whose engine takes part in swarm mode."""
        return replace(spec, swarm_mode=True)

    def join(self, session: Session, record: Record, endpoint: Endpoint) -> None:
        """Found the cluster or join it; a member stays as it is. SwarmModeError says why it cannot."""
        join.join(session, record, endpoint)

    def after_start(self, session: Session, record: Record, endpoint: Endpoint) -> None:
        """Unlock the machine's engine if it came up locked."""
        unlock_key.unlock_if_locked(session, record, endpoint)

    def leave(self, session: Session, record: Record, removal: Removal) -> None:
        """Take the machine out of its cluster: drained, demoted, off the list of nodes.

        Raises SwarmModeError if the cluster would not survive it; with `force` that is only warned of.
        """
        leave.leave(
            session, record, keep_host=removal.keep_host, force=removal.force, also_removed=removal.also_removed
        )


def check_options(flags: Collection[str]) -> None:
    """Raises UsageError for a dockerd option (--engine-opt) with which no engine takes part in swarm mode."""
    for option in flags:
        name, equals, value = option.lstrip("-").partition("=")
        if name == "live-restore" and (not equals or value in GO_TRUE):
            raise UsageError(
                f"--engine-opt {option} and --swarm-mode exclude each other: Docker refuses live-restore in swarm mode",
                resolution="leave one of them out",
            )


HOOKS = SwarmMode()
