"""A create onto a real host that is killed at each of its moments (tests/killable.py), which a first create lists."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from tests.labs.nspawn import Host
from tests.program import Program


def create_line(host: Host) -> list[str]:
    """A create onto a host that exists."""
    return ["create", "-d", "generic", "--generic-ip-address", host.address, "--generic-ssh-key", host.key, "dev"]


def moments(place: Path, host: Host) -> list[tuple[str, Program, Path]]:
    """The moments of a create that differ, as a first one lists them: each with a program without a store, a log."""
    program, log = Program(place / "listing"), place / "moments"
    program.killed(log, "never", *create_line(host)).fine()
    passed = log.read_text().splitlines()
    assert len(passed) > 20
    return [(moment, Program(place / f"{n}"), place / f"log{n}") for n, moment in enumerate(distinct(passed))]


def distinct(passed: Sequence[str]) -> list[str]:
    """The moments of a listing without each that is before a call and comes right after a call of the same kind.

    Nothing that leaves a trace lies between these two (tests/killable.py), so a kill at one is a kill at the other.
    """
    kept = list(passed[:1])
    for earlier, moment in itertools.pairwise(passed):
        when, call, _ = moment.split()
        if when != "before" or earlier.split()[:2] != ["after", call]:
            kept.append(moment)
    return kept


def leftovers(program: Program) -> list[Path]:
    """What is left of a machine: its directory, a docker context."""
    machines = program.store / "machines"
    found = list(machines.iterdir()) if machines.exists() else []
    return [*found, *(program.place / ".docker").rglob("meta.json"), *(program.place / ".docker").rglob("*.pem")]
