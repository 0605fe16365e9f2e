"""kill -9 of `create` at every moment: `--resume` finishes the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.labs.nspawn import Lab
from tests.lifecycle.kill_moments import create_line, leftovers, moments

pytestmark = pytest.mark.lab


def test_resume_after_a_kill_finishes(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("resumed", engine="running")
    for moment, program, log in moments(tmp_path, host):
        program.killed(log, moment, *create_line(host))
        if not (program.store / "machines" / "dev" / "config.json").exists():
            continue  # nothing was recorded: test_killed.py covers it
        again = program(*create_line(host))
        assert again.status == 5, moment
        assert "create --resume dev" in again.err or "already exists" in again.err, moment
        program("create", "--resume", "dev").fine()
        program("config", "dev").fine()
        program("rm", "-y", "dev").fine()
        assert leftovers(program) == [], moment
