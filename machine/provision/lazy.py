"""Planning and upgrading, whose modules are loaded when they are called: nothing is planned before there are facts."""

from __future__ import annotations

from machine.provision.apply import Outcome
from machine.provision.facts import Facts
from machine.provision.spec import Spec
from machine.provision.steps import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machine.ssh.client import Shell


def plan(facts: Facts, spec: Spec) -> Plan:
    """Return what has to be done on a host with these facts to make it as `spec` says (machine.provision.planner)."""
    from machine.provision import planner

    return planner.plan(facts, spec)


def upgrade_engine(facts: Facts, shell: Shell, log: Callable[[str], None], env: Sequence[str] = ()) -> Outcome:
    """Bring Docker on a host to its newest release and return what was done (machine.provision.engine_upgrade)."""
    from machine.provision import engine_upgrade

    return engine_upgrade.upgrade_engine(facts, shell, log, env)
