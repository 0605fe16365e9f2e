"""A bare machine becomes a Docker host behind TLS: facts in, a plan out, applied over one ssh connection.

    facts = gather(shell, log)  # one exec, changes nothing
    outcome = apply_steps(plan(facts, spec), shell, log)

Each exec is a round trip. The second line takes none when all is as it should be, else one, and one more for each of
the steps whose output decides what follows: waiting for cloud-init, installing Docker, and, on a host that runs
services of a classic swarm, looking at these and installing python for them.

facts.py says what is known, planner.py what follows from it, distros/ what differs between distributions.
Docker's settings are decided in dockerd_command.py and settings.py; apply.py is the only part that talks to a machine.
"""

from __future__ import annotations

from machine.provision.apply import Outcome, apply_steps
from machine.provision.error_names import names_in_errors
from machine.provision.facts import Facts, gather
from machine.provision.lazy import plan, upgrade_engine
from machine.provision.script import render
from machine.provision.spec import Spec
from machine.provision.steps import Plan, Result, Run, WriteFile

__all__ = [
    "Facts",
    "Outcome",
    "Plan",
    "Result",
    "Run",
    "Spec",
    "WriteFile",
    "apply_steps",
    "gather",
    "names_in_errors",
    "plan",
    "render",
    "upgrade_engine",
]
