"""A classic swarm's part in a machine's life.

An agent on the machine registers it in a discovery store that the machine reaches; `join` checks that, and registers it
from here if the agent does not. For a token that no service keeps, `join` registers it in the registry of the local
store, which managers on this computer read, and in the registry of each master that the local store has.

The addresses to register are in the record (Driver.SwarmEntered) before they are registered, so that `rm` finds them
after a kill. A node writes them before it looks for masters, and a master before it looks for nodes: of two that are
created at the same time, one sees the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from machine.clusters.classic import discovery_check, dry_run, flag_checks, join, leave, members, services
from machine.clusters.classic.discovery_route import resolve_discovery
from machine.clusters.hooks import ClusterHooks, MachineDraft, Removal
from machine.drivers.base import Driver
from machine.model import Endpoint
from machine.provision import Spec
from machine.session import Session
from machine.store import Record


class ClassicSwarm(ClusterHooks):
    """The calls of machine.clusters.hooks for a machine in a classic swarm."""

    def configure(self, draft: MachineDraft, environ: Mapping[str, str]) -> MachineDraft:
        """Return the draft; token://T names the service of $MACHINE_DISCOVERY_URL, if that is set.

        Raises UsageError for flags that could not work.
        """
        options = resolve_discovery(draft.swarm, environ)
        flag_checks.check(options)
        flag_checks.check_manager_port(options, draft.driver_values, provisions=draft.has_host)
        return replace(draft, swarm=options)

    def warnings(self, session: Session, record: Record) -> list[str]:
        """Return a warning if the local store has never seen the token, which may be mistyped."""
        if members.is_known_token(session, record):
            return []
        return [
            "this store does not know the token, and no machine of yours uses it: a new classic swarm begins with"
            f" {record.name} (is the token wrong? machine rm {record.name}, and create it again)"
        ]

    def check(self, session: Session, record: Record, driver: Driver) -> None:  # noqa: ARG002
        """Raise PreflightFailed when the swarm's discovery service on this computer could not register the machine."""
        discovery_check.check(session, record)

    def summary_lines(self, record: Record) -> list[str]:
        """Return the machine's roles, what they run as, the discovery and the manager's port."""
        return dry_run.summary_lines(record)

    def script_spec(self, record: Record, spec: Spec) -> Spec:
        """Return the specification with the manager and the agent, for an address that is not known yet."""
        return replace(spec, swarm=services.placeholder_services(record))

    def extend_spec(self, session: Session, record: Record, endpoint: Endpoint, spec: Spec) -> Spec:
        """Return the specification with the manager and the agent that the machine runs."""
        return replace(spec, swarm=services.services(session, record, endpoint))

    def join(self, session: Session, record: Record, endpoint: Endpoint) -> None:
        """Make the machine known to the managers of its swarm. Raises WaitTimeout for a master that does not answer."""
        join.join_swarm(session, record, endpoint)

    def leave(self, session: Session, record: Record, removal: Removal) -> None:
        """Deregister the machine everywhere, and clean up its host if that is kept. Failures are warnings."""
        leave.leave_swarm(session, record, keep_host=removal.keep_host, also_removed=removal.also_removed)

    def after_failed_removal(self, session: Session, record: Record, removal: Removal) -> None:
        """Deregister the machine everywhere; nothing is done on its host. Failures are warnings."""
        leave.leave_swarm(session, record, also_removed=removal.also_removed)


HOOKS = ClassicSwarm()
