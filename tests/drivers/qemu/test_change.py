"""`machine set` of the driver qemu, over a real qemu-img and a real qemu with a disk and no system on it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from machine.drivers.images import disks
from machine.drivers.qemu import change, paths
from machine.drivers.qemu.driver import QemuDriver
from machine.errors import DriverError, MachineError, PreflightFailed, UsageError
from tests.drivers.qemu.test_driver import Made
from tests.sshd import free_port

pytestmark = pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A machine that is off, of 2 CPUs, 1024 MB and a disk of 2048 MB over an image."""
    found = Made(tmp_path)
    found.place()
    base = tmp_path / "store" / "cache" / "images" / "base.qcow2"
    base.parent.mkdir(parents=True)
    disk = os.path.join(found.ctx.directory, paths.DISK)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "100M"], check=True)
    below = os.path.relpath(base, found.ctx.directory)
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, disk, "2048M"]
    subprocess.run(words, check=True, cwd=found.ctx.directory)
    found.driver.data["Base"] = {"name": "base", "arch": "amd64", "disk": "base.qcow2", "format": "qcow2"}
    found.driver.change({"qemu-disk-size": 2048})
    yield found
    found.end()


def megabytes(made: Made) -> int:
    return disks.inspect(os.path.join(made.ctx.directory, paths.DISK)).size >> 20


def run_with(made: Made, memory: int, cpus: int) -> None:
    """Start a qemu that is the machine's, with its disk; it runs nothing."""
    words = ["-S", "-nodefaults", "-display", "none", "-m", f"{memory}M", "-smp", str(cpus)]
    words += ["-drive", f"if=none,id=disk,format=qcow2,file={made.ctx.directory}/{paths.DISK}"]
    made.start([*words, "-device", "virtio-blk-pci,drive=disk"])


ALL = ("qemu-memory", "qemu-cpu-count", "qemu-disk-size", "qemu-publish")


def test_one_that_is_off_has_it_with_its_next_start(made: Made) -> None:
    port = free_port()
    made.driver.change({"qemu-memory": 512, "qemu-cpu-count": 1, "qemu-disk-size": 2100, "qemu-publish": [str(port)]})
    assert megabytes(made) == 2048, "the platform is only asked"
    loaded = QemuDriver.load(made.ctx, json.loads(json.dumps(made.driver.dump())))
    assert set(loaded.apply_changes(ALL)) == set(ALL)
    assert megabytes(made) == 2100
    assert set(loaded.apply_changes(ALL)) == set(ALL), "it may be done twice"
    assert loaded.current_values() == {
        "qemu-memory": 512,
        "qemu-cpu-count": 1,
        "qemu-disk-size": 2100,
        "qemu-publish": [f"{port}:{port}"],
    }


def test_the_disk_of_one_that_runs_grows_at_once(made: Made) -> None:
    run_with(made, memory=512, cpus=2)
    made.driver.change({"qemu-memory": 640, "qemu-cpu-count": 2, "qemu-disk-size": 2200})
    assert set(made.driver.apply_changes(ALL)) == {"qemu-disk-size", "qemu-cpu-count"}
    assert megabytes(made) == 2200
    made.driver.change({"qemu-memory": 512})
    assert "qemu-memory" in made.driver.apply_changes(ALL), "taken back: it has that"


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"qemu-disk-size": 2047}, PreflightFailed, "--qemu-disk-size 2048, or more"),
        ({"qemu-disk-size": 1}, UsageError, "at least 2000"),
        ({"qemu-disk-size": 1 << 40}, PreflightFailed, "at most"),
        ({"qemu-memory": 1}, UsageError, "at least 256"),
        ({"qemu-memory": 1 << 30}, PreflightFailed, "--qemu-memory"),
        ({"qemu-cpu-count": 0}, UsageError, "1 to 255"),
        ({"qemu-publish": ["x"]}, UsageError, "HOST:GUEST"),
    ],
)
def test_what_cannot_be_is_refused(made: Made, values: dict[str, Any], error: type[MachineError], said: str) -> None:
    before = made.driver.dump()
    with pytest.raises(error) as caught:
        made.driver.change({"qemu-memory": 777, **values})
    assert said in caught.value.resolution
    assert made.driver.dump() == before, "none is taken"


def test_a_port_that_another_program_has(made: Made) -> None:
    with socket.socket() as server:
        server.bind((made.driver.data["IPAddress"], 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(PreflightFailed, match=str(port)):
            made.driver.change({"qemu-publish": [f"{port}:80"]})
    with pytest.raises(UsageError, match="cannot be"):
        made.driver.change({"qemu-publish": [f"{made.driver.data['SSHPort']}:80"]})


def test_a_disk_that_was_put_in_its_place_is_not_opened(made: Made, tmp_path: Path) -> None:
    """An overlay over a file of this host would let the machine read it; qemu-img would open that, too."""
    disk = os.path.join(made.ctx.directory, paths.DISK)
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", disk, "2048M"]
    subprocess.run(words, check=True)
    made.driver.change({"qemu-disk-size": 2300})
    with pytest.raises(DriverError, match="not the one that was made"):
        made.driver.apply_changes(["qemu-disk-size"])
    assert megabytes(made) == 2048


def test_all_else_stays_as_it_is(made: Made) -> None:
    made.driver.settings = replace(made.driver.settings, boot_timeout=77, warm=False, user="somebody")
    before = made.driver.settings
    made.driver.change({"qemu-memory": 640})
    assert made.driver.settings == replace(before, memory=640)
    declared = {option.name for option in QemuDriver.traits.options if option.changeable}
    assert set(made.driver.current_values()) == set(change.FIELDS) == declared
