"""`machine set` of the driver openstack: the flavor of a server while it is off, its root volume at any time."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.cloud import errors
from machine.drivers.openstack.driver import OpenStackDriver
from machine.errors import InProgress, MachineError, PreflightFailed
from machine.model import State, Verb
from machine.store import Record, Store
from tests.drivers.cloud_stand_in import again, applied, make, new, wait_for_state
from tests.drivers.commands import running
from tests.drivers.fault_proxy import before_answer
from tests.drivers.openstack.fake_openstack import Stack
from tests.program import Program

FLAVOR, DISK = "openstack-flavor-name", "openstack-volume-size"
RESIZE, CONFIRM = "POST compute/v2.1/servers/ID/action resize", "POST compute/v2.1/servers/ID/action confirmResize"
EXTEND = "POST volume/v3/ID/volumes/ID/action os-extend"


def made(cloud: Stack, place: Path, **more: Any) -> OpenStackDriver:
    """The driver of a server that runs, and flavors that it may become."""
    cloud.project.flavors += [
        {**cloud.project.flavors[0], "id": "90", "name": "m1.large", "ram": 8192, "vcpus": 4, "disk": 80},
        {**cloud.project.flavors[0], "id": "91", "name": "m1.narrow", "disk": 10},
    ]
    driver = make(new(cloud, place, **more))
    assert isinstance(driver, OpenStackDriver)
    wait_for_state(driver, State.RUNNING)
    return driver


def reopened(driver: OpenStackDriver) -> OpenStackDriver:
    """The machine as another process has it."""
    found = again(driver)
    assert isinstance(found, OpenStackDriver)
    return found


def apply(driver: OpenStackDriver, *names: str, killed: bool = False) -> set[str]:
    """Apply until there is nothing to wait for; `killed`: each time by another process, which knows the record only."""
    return set(applied(lambda: reopened(driver) if killed else driver, names))


def size(cloud: Stack) -> tuple[str, str]:
    """The flavor and the status of the server as Nova has them."""
    (server,) = cloud.project.servers.values()
    return server["flavor"]["original_name"], server["status"]


def changes(cloud: Stack) -> list[str]:
    return [call for call in cloud.proxy.names() if cloud.changes(call)]


@pytest.mark.parametrize("killed", [False, True])
def test_the_flavor_while_it_is_off(cloud: Stack, tmp_path: Path, killed: bool) -> None:
    driver = made(cloud, tmp_path)
    cloud.proxy.clear()
    driver.change({FLAVOR: "m1.large"})
    assert changes(cloud) == [], "the cloud is only asked"
    driver.ctx.save(driver)
    later = reopened(driver)
    assert later.current_values() == {FLAVOR: "m1.large", "openstack-flavor-id": later.config.flavor_id, DISK: 0}
    assert apply(later, FLAVOR) == set(), "nobody's machine is stopped unasked"
    assert changes(cloud) == []
    later.power(Verb.STOP)
    wait_for_state(later, State.STOPPED)
    cloud.proxy.clear()
    assert apply(later, FLAVOR, killed=killed) == {FLAVOR}
    assert size(cloud) == ("m1.large", "SHUTOFF")
    assert changes(cloud).count(RESIZE) == 1
    cloud.proxy.clear()
    assert apply(later, FLAVOR) == {FLAVOR}
    assert changes(cloud) == [], "it has that: nothing is asked for"
    later.power(Verb.START)
    wait_for_state(later, State.RUNNING)


def test_while_it_is_resized_it_is_off(cloud: Stack, tmp_path: Path) -> None:
    """So that `start` gives it the rest first."""
    driver = made(cloud, tmp_path)
    driver.power(Verb.STOP)
    wait_for_state(driver, State.STOPPED)
    driver.change({FLAVOR: "m1.large"})
    cloud.project.power = 3600.0
    with pytest.raises(InProgress, match="is resizing"):
        driver.apply_changes([FLAVOR])
    assert (size(cloud)[1], driver.state()) == ("RESIZE", State.STOPPED)
    cloud.project.power = 0.0
    (server,) = cloud.project.servers.values()
    server["_then"] = (0.0, *server["_then"][1:])
    assert (driver.state(), size(cloud)[1]) == (State.STOPPED, "VERIFY_RESIZE")
    with pytest.raises(InProgress, match="VERIFY_RESIZE"):
        driver.power(Verb.START)
    assert apply(driver, FLAVOR) == {FLAVOR}
    driver.power(Verb.START)
    wait_for_state(driver, State.RUNNING)


def test_a_resize_that_comes_to_nothing_is_not_repeated(cloud: Stack, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path)
    driver.power(Verb.STOP)
    wait_for_state(driver, State.STOPPED)
    driver.change({FLAVOR: "m1.large"})
    cloud.project.full = True
    cloud.proxy.clear()
    with pytest.raises(errors.CloudError, match="gave up resizing") as caught:
        apply(driver, FLAVOR)
    assert "openstack server event list" in caught.value.resolution
    assert changes(cloud) == [RESIZE]


def test_the_root_volume_under_a_machine_that_runs(cloud: Stack, tmp_path: Path) -> None:
    driver = made(cloud, tmp_path, **{DISK: 20, FLAVOR: "volume.small"})
    driver.change({DISK: 30})
    driver.ctx.save(driver)
    assert driver.wanted_disk() == 30 << 10
    (volume,) = cloud.project.volumes.values()
    assert volume["size"] == 20
    cloud.proxy.clear()
    assert apply(driver, DISK, killed=True) == {DISK}
    assert (volume["size"], volume["status"]) == (30, "in-use")
    assert changes(cloud) == [EXTEND]
    assert apply(driver, DISK) == {DISK}
    assert changes(cloud) == [EXTEND]
    volume["status"] = "error_extending"
    with pytest.raises(errors.BadVolume, match="failed to grow"):
        driver.apply_changes([DISK])


def test_a_cloud_that_grows_no_volume_in_use(cloud: Stack, tmp_path: Path) -> None:
    cloud.cloud.cinder = "3.41"
    driver = made(cloud, tmp_path, **{DISK: 20, FLAVOR: "volume.small"})
    with pytest.raises(PreflightFailed, match=r"microversion 3\.42"):
        driver.change({DISK: 30})
    driver.change({DISK: 20})


@pytest.mark.parametrize(
    ("more", "values", "said"),
    [
        ({}, {FLAVOR: "nonsense"}, "--openstack-flavor-name"),
        ({}, {FLAVOR: "m1.narrow"}, "20 GB or more"),
        ({}, {FLAVOR: "volume.small"}, "20 GB or more"),
        ({}, {FLAVOR: ""}, "give one"),
        ({}, {DISK: 30}, "openstack volume set"),
        ({DISK: 20}, {DISK: 8}, "--openstack-volume-size 20, or more"),
        ({DISK: 20}, {DISK: 0}, "give one"),
    ],
)
def test_what_cannot_be_is_refused(
    cloud: Stack, tmp_path: Path, more: dict[str, Any], values: dict[str, Any], said: str
) -> None:
    driver = made(cloud, tmp_path, **more)
    before = driver.dump()
    cloud.proxy.clear()
    with pytest.raises(MachineError) as caught:
        driver.change(values)
    assert said in caught.value.resolution
    assert driver.dump() == before
    assert changes(cloud) == []


@pytest.mark.parametrize("call", [RESIZE, CONFIRM])
def test_killed_when_the_cloud_was_asked(cloud: Stack, tmp_path: Path, call: str) -> None:
    """The same command again finishes what the killed one began, and asks for nothing twice."""
    driver = made(cloud, tmp_path)
    driver.power(Verb.STOP)
    wait_for_state(driver, State.STOPPED)
    program = Program(tmp_path / "user")
    store = Store(str(program.store))
    store.add("dev")
    record = Record.new(store.root, "dev", "openstack", driver.dump(), machine_id=driver.ctx.machine_id)
    record.phase = "created"
    store.save(record)
    typed = ["set", "dev", f"--{FLAVOR}", "m1.large"]
    box: list[subprocess.Popen[str]] = []
    cloud.proxy.clear()
    cloud.proxy.on(call, before_answer(lambda: os.kill(box[0].pid, signal.SIGKILL)), times=1)
    with running(cloud, program, typed) as process:
        box.append(process)
        _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    assert store.load("dev").pending_changes == [FLAVOR]
    program(*typed, environ=cloud.credentials()).fine()
    assert size(cloud) == ("m1.large", "SHUTOFF")
    assert changes(cloud).count(RESIZE) == 1
    assert store.load("dev").pending_changes == []
