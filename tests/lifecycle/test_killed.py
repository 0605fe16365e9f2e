"""kill -9 of `create` at every moment: `rm` leaves nothing, and `--resume` finishes the machine.

The moments are all calls that leave a trace, before and after (tests/killable.py); a first create lists them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.labs.nspawn import Host, Lab
from tests.program import Program

pytestmark = pytest.mark.lab


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


def test_rm_after_a_kill_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("killed", engine="running")
    for moment, program, log in moments(tmp_path, host):
        assert program.killed(log, moment, *create_line(host)).status == -9, f"{moment} was not passed again"
        for name in program.names():
            program("rm", "-y", name).fine()
        assert leftovers(program) == [], moment


def test_resume_after_a_kill_finishes(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("resumed", engine="running")
    for moment, program, log in moments(tmp_path, host):
        program.killed(log, moment, *create_line(host))
        if not (program.store / "machines" / "dev" / "config.json").exists():
            continue  # nothing was recorded: the other test covers it
        again = program(*create_line(host))
        assert again.status == 5, moment
        assert "create --resume dev" in again.err or "already exists" in again.err, moment
        program("create", "--resume", "dev").fine()
        program("config", "dev").fine()
        program("rm", "-y", "dev").fine()
        assert leftovers(program) == [], moment
