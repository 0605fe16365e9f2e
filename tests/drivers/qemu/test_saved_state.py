"""Suspended machines and snapshots: what is read of a record and of qemu-img, and which files decide what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import Snapshot
from machine.drivers.images import disks
from machine.drivers.qemu import argv, clone, config, hardware, paths, snapshots
from machine.drivers.qemu.driver import QemuDriver
from machine.drivers.qemu.qmp import Client
from machine.drivers.qemu.suspension import Suspension
from machine.drivers.record_keys import SAVED_MEMORY
from machine.errors import DriverError, UsageError
from machine.model import State, Verb
from machine.options import resolve
from tests.drivers.qemu.test_argv import PLAIN
from tests.drivers.qemu.test_driver import Made

HARDWARE = {"accel": "tcg", "cpus": 2, "memory": 1024, "unrandomized": True, "board": "pc-i440fx-7.2"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    found = Made(tmp_path)
    found.place()
    yield found
    found.end()


def saved(made: Made, **known: Any) -> Path:
    """The file of a machine that is suspended, whose record says this of it."""
    made.driver.data[SAVED_MEMORY] = {"packed": "gzip", **HARDWARE, **known}
    path = Path(made.ctx.directory, paths.SAVED)
    path.write_bytes(b"memory")
    return path


def test_a_machine_whose_memory_is_on_disk_is_saved_whatever_runs(made: Made) -> None:
    """A qemu that lives beside the file has not gone on since: suspend was killed before it ended."""
    saved(made)
    assert made.driver.state() is State.SAVED
    made.start()
    assert made.driver.state() is State.SAVED


def test_kill_gives_the_saved_memory_up(made: Made) -> None:
    path = saved(made)
    part = Path(made.ctx.directory, paths.SAVING)
    part.touch()
    made.driver.power(Verb.KILL)
    assert made.driver.state() is State.STOPPED
    assert not path.exists()
    assert not part.exists()


def test_rm_removes_the_saved_memory(made: Made) -> None:
    path = saved(made)
    made.driver.remove()
    assert not path.exists()


@pytest.mark.parametrize(
    "known",
    [
        {"packed": "sh"},
        {"board": "pc,dumpdtb=/etc/passwd"},
        {"board": ""},
        {"accel": "tcg,thread=multi"},
        {"cpus": 0},
        {"memory": "1G"},
        {"memory": True, "cpus": []},
        {"unrandomized": "yes"},
    ],
)
def test_a_record_that_says_something_else_becomes_no_command_line(known: dict[str, Any], made: Made) -> None:
    path = saved(made, **known)
    suspension = Suspension(made.ctx, made.driver.data)
    with pytest.raises(DriverError, match="does not say how its memory was saved") as caught:
        suspension.as_saved(PLAIN)
    assert f"machine kill {made.ctx.name}" in caught.value.resolution
    assert path.exists()


def test_a_restored_machine_has_the_hardware_that_it_had(made: Made) -> None:
    """Also if its record was changed since (machine set)."""
    saved(made)
    machine = Suspension(made.ctx, made.driver.data).as_saved(replace(PLAIN, memory=4096, cpus=8))
    assert (machine.memory, machine.cpus, machine.incoming) == (1024, 2, True)
    words = argv.build(machine)
    assert "pc-i440fx-7.2,usb=off" in words
    assert words[-3:] == ["-incoming", "defer", "-S"]


def test_a_paused_machine_waits_and_a_clone_has_its_own_machine_id() -> None:
    words = argv.build(replace(PLAIN, paused=True, machine_id="ab" * 16))
    assert "-S" in words
    assert "-incoming" not in words
    if PLAIN.boot:
        assert f"systemd.machine_id={'ab' * 16}" in words[words.index("-append") + 1]


def test_what_qemu_img_tells_of_snapshots() -> None:
    told = {
        "snapshots": [
            {"name": "machine-two", "date-sec": 1796004700, "vm-state-size": 4096},
            {"name": "machine-one", "date-sec": 1796004697, "vm-state-size": 0},
            {"name": "others", "date-sec": 1, "vm-state-size": 0},
            {"name": "machine-\x1b[2J", "date-sec": 1, "vm-state-size": 0},
            {"name": "machine-late", "date-sec": 1 << 60, "vm-state-size": 0},
            {"name": "machine-x", "date-sec": "1"},
            "nothing",
        ]
    }
    assert snapshots.read(told) == [
        Snapshot("one", "2026-11-30T02:11:37+00:00", memory=False),
        Snapshot("two", "2026-11-30T02:11:40+00:00", memory=True),
    ]
    many = {"snapshots": [{"name": f"machine-{n}", "date-sec": n, "vm-state-size": 0} for n in range(5000)]}
    assert len(snapshots.read(many)) == snapshots.MOST


@pytest.mark.parametrize("told", [None, [], {}, {"snapshots": {}}, {"snapshots": [[]]}, "x"])
def test_what_is_no_list_of_snapshots(told: object) -> None:
    assert snapshots.read(told) == []


def test_hardware_is_checked() -> None:
    assert hardware.is_sound(HARDWARE)
    assert not hardware.is_sound([])
    assert not hardware.is_sound({**HARDWARE, "cpus": 1 << 40})


def settings(**given: Any) -> config.Settings:
    return config.from_values(resolve(QemuDriver.traits.options, given, {}))


def test_a_clone_is_as_its_source_but_for_what_was_typed() -> None:
    source = settings(**{"qemu-memory": 2048, "qemu-publish": ["8080:80"], "qemu-disk-size": 30000})
    own = settings(**{"qemu-cpu-count": 4})
    wanted = clone.settings(source, own, {"qemu-cpu-count"})
    assert (wanted.memory, wanted.cpus, wanted.disk) == (2048, 4, 30000)
    assert wanted.publish == ()


def test_a_clone_has_the_image_and_at_least_the_disk_of_its_source() -> None:
    source = settings(**{"qemu-disk-size": 30000})
    with pytest.raises(UsageError, match="--qemu-image has no effect with --from"):
        clone.settings(source, settings(), {"qemu-image"})
    with pytest.raises(UsageError, match="20000 is less than the disk"):
        clone.settings(source, settings(), {"qemu-disk-size"})


def test_the_record_of_a_clone_names_its_source_and_nothing_of_its_network() -> None:
    kept = clone.record("dev", {"Base": {"disk": "x"}, "TemplateDisk": "t", "IPAddress": "127.84.0.1"}, "one")
    assert kept == {
        "Base": {"disk": "x"},
        "TemplateDisk": "t",
        "CloneOf": {"Machine": "dev", "Snapshot": "one"},
    }


def test_a_machine_goes_on_whose_suspend_was_killed_before_its_memory_was_in_place(made: Made) -> None:
    """Its qemu has written all of it, and waits."""
    made.start()
    with Client(str(Path(made.driver.sockets, paths.QMP)), 30) as client:
        client.command("stop")
    part = Path(made.ctx.directory, paths.SAVING)
    part.write_bytes(b"memory")
    assert made.driver.state() is State.PAUSED
    made.driver.power(Verb.START)
    assert made.driver.state() is State.RUNNING
    assert not part.exists()


def test_a_restored_snapshot_has_the_disk_that_it_had(made: Made) -> None:
    """And so has the record, where `machine set` has made it larger since."""
    disk = str(Path(made.ctx.directory, paths.DISK))
    made.ctx.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "20000M"], timeout=60)
    made.driver.snapshots().take("small")
    made.driver.change({"qemu-disk-size": 22000})
    made.ctx.run(["qemu-img", "resize", "-q", disk, "22000M"], timeout=60)
    made.driver.snapshots().restore("small")
    assert disks.inspect(disk).size == 20000 << 20
    assert made.driver.wanted_disk() == 20000
    assert QemuDriver.load(made.ctx, made.saved[-1]).wanted_disk() == 20000
