"""A create onto a real host that is killed at each of its moments (tests/killable.py), which a first create lists."""

from __future__ import annotations

from pathlib import Path

from tests.labs.nspawn import Host
from tests.program import Program


def create_line(host: Host) -> list[str]:
    """A create onto a host that exists."""
    return ["create", "-d", "generic", "--generic-ip-address", host.address, "--generic-ssh-key", host.key, "dev"]


def moments(place: Path, host: Host) -> list[tuple[str, Program, Path]]:
    """Every moment that a first create passes, each with a program whose store does not exist yet, and a log."""
    program, log = Program(place / "listing"), place / "moments"
    program.killed(log, "never", *create_line(host)).fine()
    passed = log.read_text().splitlines()
    assert len(passed) > 20
    return [(moment, Program(place / f"{n}"), place / f"log{n}") for n, moment in enumerate(passed)]


def leftovers(program: Program) -> list[Path]:
    """What is left of a machine: its directory, a docker context."""
    machines = program.store / "machines"
    found = list(machines.iterdir()) if machines.exists() else []
    return [*found, *(program.place / ".docker").rglob("meta.json"), *(program.place / ".docker").rglob("*.pem")]
