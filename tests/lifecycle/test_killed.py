"""kill -9 of `create` at every moment: `rm` leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.labs.nspawn import Lab
from tests.lifecycle.kill_moments import create_line, leftovers, moments

pytestmark = pytest.mark.lab


def test_rm_after_a_kill_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("killed", engine="running")
    for moment, program, log in moments(tmp_path, host):
        assert program.killed(log, moment, *create_line(host)).status == -9, f"{moment} was not passed again"
        for name in program.names():
            program("rm", "-y", name).fine()
        assert leftovers(program) == [], moment
