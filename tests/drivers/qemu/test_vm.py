"""A real virtual machine through the Driver class: built, booted, logged in to, stopped, started, killed, removed.

Takes minutes. The image is built once a run; $MACHINE_TEST_IMAGES names a directory to keep it in between runs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.qemu import paths, process
from machine.drivers.qemu.driver import QemuDriver
from machine.errors import DriverError, InProgress
from machine.model import Endpoint, State, Verb
from machine.options import resolve
from machine.ssh import keys
from machine.wait import NotYet, SystemClock, until
from tests.drivers import contexts
from tests.drivers.qemu.test_driver import remove
from tests.drivers.qemu.test_forwarder import forwarder_pids

NEEDED = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "ssh")
MISSING = [tool for tool in NEEDED if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
BOOT = 400.0


class Machine:
    """One driver, and ssh to what it made."""

    def __init__(self, directory: Path, name: str, *, machine_id: str = "", **given: Any) -> None:
        kept = os.environ.get("MACHINE_TEST_IMAGES")
        cache = directory / "store" / "cache"
        if kept and not (cache / "images").exists():
            Path(kept).mkdir(parents=True, exist_ok=True)
            cache.mkdir(parents=True, exist_ok=True)
            (cache / "images").symlink_to(kept)
        self.saved: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.ctx = replace(
            contexts.real(directory, name, self.saved),
            machine_id=machine_id or f"id-of-{name}-{os.getpid()}",
            log=self.said.append,
        )
        values = resolve(QemuDriver.traits.options, {key.replace("_", "-"): value for key, value in given.items()}, {})
        self.driver = QemuDriver.configure(self.ctx, values)
        own = Path(self.ctx.directory)
        private, public = keys.ensure(str(own / "ssh_host_ed25519_key"), name)
        self.driver.give_host_key(private, public)
        (own / "known_hosts").write_text(f"{name} {public}\n")

    @property
    def endpoint(self) -> Endpoint:
        found = self.driver.endpoint()
        assert found is not None
        return found

    def ssh(self, command: str) -> str:
        """Run a command; the host key must be the one that was made before the machine."""
        own = self.ctx.directory
        options = {
            "IdentityFile": f"{own}/id_ed25519",
            "UserKnownHostsFile": f"{own}/known_hosts",
            "HostKeyAlias": self.ctx.name,
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        where = ["-F", "none", "-p", str(self.endpoint.ssh_port), f"{self.endpoint.ssh_user}@{self.endpoint.address}"]
        done = subprocess.run(["ssh", *words, *where, command], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def wait(self, what: str, true: Callable[[], bool], seconds: float = BOOT) -> None:
        def probe() -> None:
            if not true():
                raise NotYet

        until(
            probe,
            what=what,
            seconds=seconds,
            clock=SystemClock(),
            diagnose=lambda: self.driver.console_log()[-2000:],
        )

    def answers_ssh(self) -> bool:
        return _says(self.endpoint.address, self.endpoint.ssh_port).startswith(b"SSH-")

    def is_in(self, state: State) -> Callable[[], bool]:
        return lambda: self.driver.state() is state


def start(driver: QemuDriver) -> None:
    """Switch it on, as soon as nothing of its last run has the ports any more."""

    def attempt() -> None:
        try:
            driver.power(Verb.START)
        except InProgress as error:
            raise NotYet.because(error) from error

    until(attempt, what="a start", seconds=30, clock=SystemClock())


def _says(address: str, port: int) -> bytes:
    try:
        with socket.create_connection((address, port), 2) as connection:
            connection.settimeout(3)
            return connection.recv(64)
    except OSError:
        return b""


def _opens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, "vm-test", qemu_publish=["18081:8081"], qemu_host_access="off")
    try:
        yield made
    finally:
        remove(made.driver)


def test_the_life_of_a_real_machine(machine: Machine) -> None:
    driver = machine.driver
    driver.check()
    driver.create()
    pid = process.find(machine.ctx.directory, driver.uuid, machine.ctx.run)
    driver.create()
    assert process.find(machine.ctx.directory, driver.uuid, machine.ctx.run) == pid, "a second call changes nothing"
    assert machine.saved[-1]["IPAddress"] == machine.endpoint.address
    assert driver.state() is State.RUNNING
    machine.wait("ssh", machine.answers_ssh)

    assert machine.ssh("hostname") == "vm-test"
    assert machine.endpoint.peer_address in machine.ssh("hostname -I")
    assert machine.ssh("sudo -n id -u") == "0"
    assert int(machine.ssh("df --output=size -m / | tail -1")) > 18000, "the file system fills the disk"
    assert (
        machine.ssh("cat /sys/class/dmi/id/product_uuid 2>/dev/null || sudo cat /sys/class/dmi/id/product_uuid")
        == driver.uuid
    )

    for port in (18080, 8081):
        machine.ssh(f"sudo systemd-run -q --unit web{port} python3 -m http.server {port}")
    address = machine.endpoint.address
    machine.wait("a forward that follows an open port", lambda: _opens(address, 18080), 30)
    assert _opens(address, 18081), "--qemu-publish"
    machine.ssh("sudo systemctl stop web18080")
    machine.wait("the end of that forward", lambda: not _opens(address, 18080), 30)

    with socket.create_server(("127.0.0.1", 0)) as secret:
        port = secret.getsockname()[1]
        for target in ("10.0.2.2", "255.255.255.255"):
            assert "closed" in machine.ssh(f"timeout 5 bash -c '</dev/tcp/{target}/{port}' && echo open || echo closed")
        secret.settimeout(0)
        with pytest.raises(BlockingIOError):
            secret.accept()

    driver.power(Verb.STOP)
    machine.wait("an orderly end", machine.is_in(State.STOPPED), 90)
    assert "Power down" in driver.console_log()
    driver.power(Verb.STOP)
    assert not forwarder_pids(f"{machine.ctx.directory}/{paths.GUEST}"), "the forwarder ends with qemu"

    again = QemuDriver.load(machine.ctx, machine.saved[-1])
    start(again)  # tests/e2e/test_qemu.py waits until such a machine answers
    machine.wait("a start", machine.is_in(State.RUNNING), 30)
    again.power(Verb.KILL)
    machine.wait("the end of a kill", machine.is_in(State.STOPPED), 10)
    again.power(Verb.KILL)


def test_a_lost_pid_file_and_a_taken_port(machine: Machine) -> None:
    driver = machine.driver
    driver.create()
    os.unlink(Path(machine.ctx.directory, paths.PID))
    assert driver.state() is State.RUNNING, "found by its uuid"
    driver.power(Verb.KILL)
    machine.wait("the end of a kill", machine.is_in(State.STOPPED), 10)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((machine.endpoint.address, machine.endpoint.engine_port))
        squatter.listen(1)
        with pytest.raises(DriverError, match="taken"):
            start(driver)
    start(driver)
    os.unlink(Path(machine.ctx.directory, paths.PID))
    pid = process.find(machine.ctx.directory, driver.uuid, machine.ctx.run)
    remove(driver)
    assert driver.state() is State.MISSING
    assert not process.command_line(pid, machine.ctx.run)
    left = set(os.listdir(machine.ctx.directory))
    assert left == {"id_ed25519", "id_ed25519.pub", "ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "known_hosts"}
    driver.remove()
