"""The memory of a real qemu, saved through a program and restored. Its machines run their firmware only."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest

from machine.drivers.qemu import memory
from machine.drivers.qemu.qmp import Client
from machine.errors import DriverError
from tests.drivers.qemu.monitors import connected

pytestmark = pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
COPY = ("cat",)
MACHINE = ("qemu-system-x86_64", "-m", "32M", "-nodefaults", "-display", "none", "-accel", "tcg")
Start = Callable[[str], Client]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A call that starts a machine, "" for one that runs and "waiting" for one to be restored into."""
    running: list[subprocess.Popen[bytes]] = []
    clients: list[Client] = []

    def start(kind: str) -> Client:
        path = str(tmp_path / f"{len(running)}")
        incoming = ("-incoming", "defer", "-S") if kind else ()
        running.append(subprocess.Popen([*MACHINE, "-qmp", f"unix:{path},server=on,wait=off", *incoming]))
        clients.append(connected(path))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a machine is saved, with a name that a shell would take apart."""
    path = tmp_path / "it's saved"
    path.touch()
    return path


@pytest.mark.parametrize("packer", [COPY, ("sh", "-c", "head -c 300000; sleep 0.5; cat")], ids=["quick", "slow"])
def test_a_machine_is_saved_whole_and_restored(packer: tuple[str, ...], start: Start, file: Path) -> None:
    """A program is slower than qemu on a busy computer: the end of what qemu wrote is in the pipe still."""
    saved, restored = start(""), start("waiting")
    saved.command("stop")
    memory.save(saved, packer, str(file), 60)
    memory.restore(restored, COPY, str(file), 60)
    restored.command("cont")
    assert restored.command("query-status")["status"] == "running"


def test_what_is_no_saved_machine_is_refused_in_qemus_words(start: Start, file: Path) -> None:
    waiting = start("waiting")
    file.write_bytes(b"no machine")
    with pytest.raises(DriverError, match="restore"):
        memory.restore(waiting, COPY, str(file), 60)


@pytest.mark.parametrize("before", ["", "cat >/dev/null; "], ids=["at once", "at the end"])
def test_a_packer_that_fails_is_quoted(before: str, start: Start, file: Path) -> None:
    machine = start("")
    machine.command("stop")
    with pytest.raises(DriverError) as caught:
        memory.save(machine, ("sh", "-c", f"{before}echo no room >&2; exit 1"), str(file), 60)
    assert "no room" in caught.value.details
    machine.command("cont")
    assert machine.command("query-status")["status"] == "running"


def test_a_packer_that_never_ends_is_ended(start: Start, file: Path) -> None:
    machine = start("")
    machine.command("stop")
    with pytest.raises(DriverError, match="did not"):
        memory.save(machine, ("sh", "-c", "cat >/dev/null; exec sleep 600"), str(file), 2)


def test_a_program_that_is_not_there(start: Start, file: Path) -> None:
    with pytest.raises(DriverError, match="no-such-packer"):
        memory.save(start(""), ("no-such-packer",), str(file), 60)
