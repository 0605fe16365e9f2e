"""The driver over a real qemu that has no machine in it: what its queries do, and that it waits for nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from machine.drivers.qemu import net, paths, process
from machine.drivers.qemu.assignment import PORTS_SECONDS
from machine.drivers.qemu.driver import QemuDriver
from machine.errors import DriverError, InProgress
from machine.model import State, Verb
from machine.options import resolve
from machine.wait import NotYet, SystemClock, until
from tests.drivers import contexts
from tests.drivers.qemu.monitors import connected
from tests.drivers.recording import Effects, effects

pytestmark = pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
QUERIES = {b"qmp_capabilities", b"query-status"}


class Made:
    """A driver with a disk and a place, as after a create, and a qemu of its own that can be started."""

    def __init__(self, directory: Path) -> None:
        self.saved: list[dict[str, Any]] = []
        self.now = 0.0
        clock = types.SimpleNamespace(now=lambda: self.now, sleep=pytest.fail)
        self.ctx = replace(contexts.real(directory, saved=self.saved), machine_id=os.urandom(16).hex(), clock=clock)
        self.driver = QemuDriver.configure(self.ctx, resolve(QemuDriver.traits.options, {}, {}))
        self.processes: list[subprocess.Popen[bytes]] = []

    def place(self) -> None:
        """Addresses, as `create` writes them down, and a disk."""
        on_linux = sys.platform.startswith("linux")
        found = net.choose(net.lan_of(self.ctx.store), set(), [], net.can_listen, own_addresses=on_linux)
        self.driver.data |= {
            "IPAddress": found.address,
            "PeerAddress": found.peer,
            "SSHPort": found.ssh_port,
            "EnginePort": found.engine_port,
            "SwarmPort": found.swarm_port,
        }
        Path(self.ctx.directory, paths.DISK).write_bytes(b"")

    def start(self, hardware: Sequence[str] = ("-machine", "none", "-nodefaults", "-display", "none")) -> int:
        """Start qemu, with the arguments by which the driver knows it; its pid. It has no machine in it by default."""
        qmp, pid = os.path.join(self.driver.sockets, paths.QMP), Path(self.ctx.directory, paths.PID)
        if self.driver.sockets != self.ctx.directory:
            paths.prepare(self.driver.sockets)
        words = ["qemu-system-x86_64", *hardware, "-uuid", self.driver.uuid]
        words += ["-pidfile", str(pid), "-qmp", f"unix:{qmp},server=on,wait=off"]
        self.processes.append(subprocess.Popen(words))

        connected(qmp).close()

        def probe() -> None:
            if not (pid.exists() and pid.read_text().strip()):
                raise NotYet

        until(probe, what="qemu", seconds=30, every=0.05, clock=SystemClock())
        return self.processes[-1].pid

    def end(self) -> None:
        """End what runs, and remove the directory of its sockets."""
        for one in self.processes:
            one.kill()
            one.wait()
        remove(self.driver)


def remove(driver: QemuDriver) -> int:
    """remove, until it has nothing to wait for; how often it had."""
    waited = 0

    def attempt() -> None:
        nonlocal waited
        try:
            driver.remove()
        except InProgress as error:
            waited += 1
            raise NotYet.because(error) from error

    until(attempt, what="the end", seconds=30, every=0.02, clock=SystemClock())
    return waited


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    found = Made(tmp_path)
    yield found
    found.end()


def asked(driver: QemuDriver, ctx: Any) -> Effects:
    """What all queries did, asked of the driver and of one that another process loads."""
    other = QemuDriver.load(ctx, json.loads(json.dumps(driver.dump())))
    with effects() as found:
        for one in (driver, other):
            known = json.dumps(one.dump())
            one.state()
            one.endpoint()
            one.explain()
            one.console_log()
            one.disk_megabytes()
            assert json.dumps(one.dump()) == known
    return found


def test_a_query_changes_nothing(made: Made) -> None:
    """Before there is a machine, while it is off, while it runs, and after it is removed."""
    steps: list[Callable[[], object]] = [
        lambda: None,
        made.place,
        made.start,
        lambda: made.driver.power(Verb.KILL),
        lambda: remove(made.driver),
    ]
    talked = False
    for step in steps:
        step()
        before = len(made.saved)
        found = asked(made.driver, made.ctx)
        assert [line for line in found.files if "'/dev/kvm'" not in line] == [], "whether it may be used is tried"
        assert [words for words in found.programs if not words.endswith("--version")] == []
        said = {json.loads(line)["execute"].encode() for line in found.sent}
        assert said <= QUERIES
        talked = talked or bool(said)
        assert len(made.saved) == before
    assert talked, "a machine that runs is asked by its socket"


def test_the_recording_sees_what_changes(made: Made) -> None:
    """The test above would fail if a query did what these do."""
    made.place()
    made.start()
    with effects() as found:
        made.driver.power(Verb.RESTART)
        made.driver.power(Verb.KILL)
        remove(made.driver)
    assert any(b"system_reset" in line for line in found.sent)
    assert any(line.startswith("os.kill") for line in found.files)
    assert any(line.startswith("os.remove") and paths.DISK in line for line in found.files)
    with effects() as found:
        done = subprocess.run(["true"], check=True)
    assert done.returncode == 0
    assert found.programs == ["true"]


def test_a_kill_returns_at_once_and_the_state_tells_when_it_is_done(made: Made) -> None:
    made.place()
    pid = made.start()
    driver = made.driver
    assert driver.state() is State.RUNNING
    os.kill(pid, 19)  # SIGSTOP: it answers nothing, and has its ports
    driver.power(Verb.KILL)
    seen = {driver.state()}

    def probe() -> None:
        seen.add(driver.state())
        if State.STOPPED not in seen:
            raise NotYet

    until(probe, what="the end", seconds=30, every=0.005, clock=SystemClock())
    assert process.gone(pid), "Stopped is said when nothing of it is left"
    driver.power(Verb.KILL)


def test_a_process_that_still_has_its_files_is_ending(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command line is gone before its ports are: neither Stopped is said nor are its files removed."""
    made.place()
    made.start()
    driver = made.driver
    assert driver.state() is State.RUNNING
    left = [False]
    monkeypatch.setattr(process, "gone", lambda pid: left[0])
    driver.power(Verb.KILL)
    for one in made.processes:
        one.wait()
    assert driver.state() is State.STOPPING
    with pytest.raises(InProgress):
        driver.remove()
    assert os.path.exists(contexts.file_of(driver, paths.DISK))
    left[0] = True
    assert driver.state() is State.STOPPED


def test_a_start_finds_a_port_taken(made: Made) -> None:
    """It may be the machine's own qemu that has just ended: that is no error yet, and nothing is waited for."""
    made.place()
    driver = made.driver
    endpoint = driver.endpoint()
    assert endpoint is not None
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((endpoint.address, endpoint.engine_port))
        squatter.listen(1)
        with pytest.raises(InProgress, match=f"port {endpoint.engine_port} "):
            driver.power(Verb.START)
        made.now += PORTS_SECONDS
        with pytest.raises(DriverError, match="taken") as caught:
            driver.power(Verb.START)
        assert not isinstance(caught.value, InProgress)


@pytest.mark.parametrize(("accel", "seconds"), [("tcg", 400.0), ("kvm", 90.0)])
def test_an_emulated_machine_has_as_long_to_shut_down_as_to_boot(tmp_path: Path, accel: str, seconds: float) -> None:
    """One that is slow and fine would else have its power cut, as if it had crashed."""
    given = {"qemu-accel": accel, "qemu-boot-timeout": "400"}
    driver = QemuDriver.configure(contexts.real(tmp_path), resolve(QemuDriver.traits.options, given, {}))
    assert driver.shutdown_timeout() == seconds
