"""What membership in a cluster adds to the life of a machine: the calls that lifecycle makes, in their order.

    create      configure, write_record, warnings, check; summary_lines, join_lines and script_spec of --dry-run
    provision   check_host, extend_spec, then join once the engine answers
    start       after_start
    remove      leave; after_failed_removal, where the platform could not remove the machine and the user insists

Lifecycle knows no kind of cluster by name: machine/clusters/table.py has them all. Every call may be repeated.
"""

# ruff: noqa: ARG002 (a kind of cluster overrides what it has something to do at)

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from machine.drivers.base import Driver
    from machine.model import Endpoint, SwarmOptions
    from machine.provision import Facts, Spec
    from machine.session import Session
    from machine.store import Record


class MembershipRequest(Protocol):
    """The membership that `create --swarm-mode` asks for."""

    def dump(self) -> dict[str, Any]:
        """Return the object for config.json."""


@dataclass(frozen=True, slots=True)
class MachineDraft:
    """The part of a `CreateRequest` that clusters need; there is no record of the machine yet."""

    driver_name: str
    has_host: bool  # whether the driver's machines are hosts, and not only URLs
    driver_values: Mapping[str, Any]  # the driver's options
    engine_flags: Collection[str]  # --engine-opt
    swarm: SwarmOptions
    swarm_mode: MembershipRequest | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """How a machine is removed."""

    keep_host: bool = False  # the host goes on without the machine
    force: bool = False  # what cannot be done is only warned of
    also_removed: Collection[str] = ()  # machines that the same command removes


class ClusterHooks:
    """One kind of cluster, as lifecycle sees it; what a kind of cluster does not override adds nothing.

    Called only for machines that are, or are to be, members of such a cluster.
    """

    def configure(self, draft: MachineDraft, environ: Mapping[str, str]) -> MachineDraft:
        """Return the draft with what it leaves open filled in.

        Pure. Raises UsageError or PreflightFailed if the draft cannot be completed.
        """
        return draft

    def write_record(self, draft: MachineDraft, record: Record) -> None:
        """Put the membership that was asked for into the new record, which is not on disk yet."""

    def warnings(self, session: Session, record: Record) -> list[str]:
        """Return what the user should know before anything is made. Read-only."""
        return []

    def check(self, session: Session, record: Record, driver: Driver) -> None:
        """Raise PreflightFailed when the machine could not become a member. Read-only."""

    def summary_lines(self, record: Record) -> list[str]:
        """Return what `create --dry-run` says of the membership below the driver's options."""
        return []

    def join_lines(self, record: Record) -> list[str]:
        """Return what `create --dry-run` says below the step in which the engine answers."""
        return []

    def script_spec(self, record: Record, spec: Spec) -> Spec:
        """Return the specification that `create --dry-run=script` renders, with what the cluster needs on the host.

        Nothing is made or read for it: what is not known yet has a placeholder.
        """
        return spec

    def check_host(self, session: Session, record: Record, facts: Facts) -> None:
        """Raise before a host is changed that cannot be the member it is to be."""

    def extend_spec(self, session: Session, record: Record, endpoint: Endpoint, spec: Spec) -> Spec:
        """Return the specification of the host with what the cluster needs on it."""
        return spec

    def join(self, session: Session, record: Record, endpoint: Endpoint) -> None:
        """Make the machine, whose engine answers, a member; one that is a member stays as it is.

        Raises MachineError if it cannot join.
        """

    def after_start(self, session: Session, record: Record, endpoint: Endpoint) -> None:
        """Do what a member needs once its engine answers after a start. Raises MachineError if that fails."""

    def leave(self, session: Session, record: Record, removal: Removal) -> None:
        """Take the machine out of its cluster before it is removed. Raises MachineError if the cluster would break."""

    def after_failed_removal(self, session: Session, record: Record, removal: Removal) -> None:
        """Take back what can be without the machine, whose removal has failed. What cannot is only warned of."""
