"""kill -9 of `create` around everything that the qemu driver does: `rm` leaves no process, no disk, no port.

The moments are those of tests/killable.py up to the first command on the machine; what comes after is the same for
every driver and is killed in tests/lifecycle/test_killed.py.
"""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from machine.authority.authority import ensure
from machine.drivers.qemu.net import lan_of
from tests.e2e.vms import left, program
from tests.program import Program

__all__ = ["program"]

pytestmark = pytest.mark.vm

LINE = ["create", "--no-context", "victim"]
FIRST_COMMAND = "before SshShell.run 1"


def open_ports(program: Program) -> list[str]:
    """Listening sockets on the loopback addresses that this store's machines are given, from the kernel's table."""
    found = []
    ours = f"127.84.{lan_of(str(program.store)).octet}."
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, state = row.split()[1], row.split()[3]
        host = socket.inet_ntoa(bytes.fromhex(address[:8])[::-1])
        if state == "0A" and host.startswith(ours):
            found.append(f"{host}:{int(address[9:], 16)}")
    return sorted(found)


def made_before(program: Program) -> None:
    """Make what only the first create of a store makes, so that every create passes the same moments: CA and image."""
    ensure(str(program.store))
    if "debian-13" not in program("image", "ls").fine().out:
        program("image", "build", "debian-13", timeout=1800).fine()


def test_rm_after_a_kill_leaves_nothing(program: Program, tmp_path: Path) -> None:
    made_before(program)
    before = open_ports(program)

    def passed(log: Path, moment: str) -> list[str]:
        """The moments of a create that was killed at the last of them; `rm` has left nothing of it."""
        assert program.killed(log, moment, *LINE, timeout=900).status == -signal.SIGKILL, f"{moment} was not passed"
        for name in program.names():
            program("rm", "-y", name).fine()
        assert left(program) == [], moment
        assert open_ports(program) == before, moment
        return log.read_text().splitlines()

    moments = passed(tmp_path / "log", FIRST_COMMAND)[:-1]
    assert any(moment.startswith("after process.run") for moment in moments), "qemu is started by a watched call"
    for number, moment in enumerate(moments):
        passed(tmp_path / f"log{number}", moment)


def test_resume_after_a_kill_in_the_middle_of_a_boot_finishes(program: Program, tmp_path: Path) -> None:
    program.killed(tmp_path / "log", FIRST_COMMAND, *LINE, timeout=900)
    again = program(*LINE)
    assert again.status == 5
    assert "create --resume victim" in again.err
    program("create", "--resume", "--no-context", "victim", timeout=900).fine()
    program("config", "victim").fine()
    program("rm", "-y", "victim").fine()
