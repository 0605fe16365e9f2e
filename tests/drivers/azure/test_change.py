"""`machine set` of the driver azure: size and disk of a machine while it is deallocated."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.azure.driver import AzureDriver
from machine.drivers.cloud import errors
from machine.errors import InProgress, MachineError
from machine.model import State, Verb
from machine.store import Record, Store
from tests.drivers.azure.cloud import Azure
from tests.drivers.azure.resources import Refused
from tests.drivers.cloud_stand_in import again, applied, make, new, wait_for_state
from tests.drivers.commands import running
from tests.drivers.fault_proxy import before_answer
from tests.program import Program

SIZE, DISK = "azure-size", "azure-disk-size"
WANTED = {SIZE: "standard_d2s_v5", DISK: 64}


def made(cloud: Azure, place: Path, *, stopped: Verb | None = None) -> AzureDriver:
    """The driver of a machine that runs, or was switched off by that verb."""
    driver = make(new(cloud, place))
    assert isinstance(driver, AzureDriver)
    if stopped:
        driver.power(stopped)
        wait_for_state(driver, State.STOPPED)
    cloud.proxy.clear()
    return driver


def reopened(driver: AzureDriver) -> AzureDriver:
    """The machine as another process has it."""
    found = again(driver)
    assert isinstance(found, AzureDriver)
    return found


def apply(driver: AzureDriver, *names: str, killed: bool = False) -> set[str]:
    """Apply until there is nothing to wait for; `killed`: each time by another process, which knows the record only."""
    return set(applied(lambda: reopened(driver) if killed else driver, names))


def machine(cloud: Azure) -> tuple[str, int, str]:
    """Size, GB of the disk, and what it does, as Azure has them."""
    (found,), (disk,) = cloud.arm.account.of("virtualMachines"), cloud.arm.account.of("disks")
    return found["properties"]["hardwareProfile"]["vmSize"], disk["properties"]["diskSizeGB"], found["power"]


def changes(cloud: Azure) -> list[str]:
    return [call for call in cloud.proxy.names() if cloud.changes(call)]


@pytest.mark.parametrize("killed", [False, True])
def test_size_and_disk_while_it_is_off(cloud: Azure, tmp_path: Path, killed: bool) -> None:
    driver = made(cloud, tmp_path)
    driver.change(WANTED)
    assert changes(cloud) == [], "Azure is only asked"
    driver.ctx.save(driver)
    later = reopened(driver)
    assert later.current_values() == {SIZE: "Standard_D2s_v5", DISK: 64}, "as Azure spells it"
    assert later.wanted_disk() == 64 << 10
    assert apply(later, *WANTED) == set(), "nobody's machine is stopped unasked"
    assert changes(cloud) == []
    later.power(Verb.STOP)
    wait_for_state(later, State.STOPPED)
    cloud.proxy.clear()
    assert apply(later, *WANTED, killed=killed) == {SIZE, DISK}
    assert machine(cloud) == ("Standard_D2s_v5", 64, "deallocated")
    assert changes(cloud) == ["PATCH virtualMachines", "PATCH disks"]
    assert apply(later, *WANTED) == {SIZE, DISK}
    assert len(changes(cloud)) == 2, "it has that: nothing is asked for"
    later.power(Verb.START)
    wait_for_state(later, State.RUNNING)
    assert apply(later, *WANTED) == {SIZE, DISK}


def test_one_that_was_killed_gives_its_hardware_up_first(cloud: Azure, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path, stopped=Verb.KILL)
    assert machine(cloud)[2] == "stopped"
    driver.change(WANTED)
    assert apply(driver, *WANTED) == {SIZE, DISK}
    assert changes(cloud) == ["POST deallocate", "PATCH virtualMachines", "PATCH disks"]


@pytest.mark.parametrize(("kind", "name"), [("virtualMachines", SIZE), ("disks", DISK)])
def test_what_comes_to_nothing_is_told(cloud: Azure, tmp_path: Path, kind: str, name: str) -> None:
    driver = made(cloud, tmp_path, stopped=Verb.STOP)
    driver.change(WANTED)
    cloud.arm.failures[kind] = Refused(409, "AllocationFailed", "We do not have sufficient capacity.")
    with pytest.raises(errors.NoCapacity, match="Azure refused change the"):
        apply(driver, name)
    assert changes(cloud) == [f"PATCH {kind}"]


def test_it_is_not_asked_more_often_than_is_said(cloud: Azure, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path, stopped=Verb.STOP)
    driver.config.polling_interval = 600
    driver.change(WANTED)
    with pytest.raises(InProgress):
        driver.apply_changes([SIZE])
    asked = len(cloud.proxy.names())
    with pytest.raises(InProgress, match="every 600 s"):
        driver.apply_changes([SIZE])
    assert len(cloud.proxy.names()) == asked


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({SIZE: "Standard_Nonsense"}, "--azure-size"),
        ({SIZE: "Standard_NC6"}, "--azure-size"),
        ({SIZE: "Standard_B2pls_v2"}, "for x64"),
        ({SIZE: ""}, "give one"),
        ({DISK: 10}, "--azure-disk-size 30, or more"),
        ({DISK: 0}, "1 to 4095"),
    ],
)
def test_what_cannot_be_is_refused(cloud: Azure, tmp_path: Path, values: dict[str, Any], said: str) -> None:
    driver = made(cloud, tmp_path)
    before = driver.dump()
    with pytest.raises(MachineError) as caught:
        driver.change({**WANTED, **values})
    assert said in caught.value.resolution
    assert driver.dump() == before
    assert changes(cloud) == []


@pytest.mark.parametrize("call", ["PATCH virtualMachines", "PATCH disks"])
def test_killed_when_azure_was_asked(cloud: Azure, tmp_path: Path, call: str) -> None:
    """The same command again finishes what the killed one began, and asks for nothing twice."""
    driver = made(cloud, tmp_path, stopped=Verb.STOP)
    program = Program(tmp_path / "user")
    store = Store(str(program.store))
    store.add("dev")
    record = Record.new(store.root, "dev", "azure", driver.dump(), machine_id=driver.ctx.machine_id)
    record.phase = "created"
    store.save(record)
    typed = ["set", "dev", *(f"--{name}={value}" for name, value in WANTED.items())]
    box: list[subprocess.Popen[str]] = []
    cloud.proxy.on(call, before_answer(lambda: os.kill(box[0].pid, signal.SIGKILL)), times=1)
    with running(cloud, program, typed) as process:
        box.append(process)
        _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    assert set(store.load("dev").pending_changes) == set(WANTED)
    program(*typed, environ=cloud.credentials()).fine()
    assert machine(cloud) == ("Standard_D2s_v5", 64, "deallocated")
    assert changes(cloud) == ["PATCH virtualMachines", "PATCH disks"]
