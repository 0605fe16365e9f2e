"""Suspended machines and clones: what is read of a record, and which files decide what is true."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.images.clone_source import CloneSource
from machine.drivers.qemu import argv, clone, config, hardware, paths, vm
from machine.drivers.qemu.base_image import BaseImage
from machine.drivers.qemu.driver import QemuDriver
from machine.drivers.qemu.qmp import Client
from machine.drivers.qemu.suspension import Suspension
from machine.drivers.record_keys import SAVED_MEMORY
from machine.errors import DriverError, UsageError
from machine.model import State, Verb
from machine.options import resolve
from machine.process import Completed
from tests.drivers.qemu.test_argv import PLAIN
from tests.drivers.qemu.test_driver import Made
from tests.drivers.recording import effects

DEV_ONE = CloneSource("dev", "one")
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


def test_a_restored_snapshot_goes_on_by_itself_and_a_clone_has_its_own_machine_id() -> None:
    words = argv.build(replace(PLAIN, snapshot="machine-one", machine_id="ab" * 16))
    assert words[-2:] == ["-loadvm", "machine-one"]
    assert not {"-S", "-incoming"} & set(words)
    if PLAIN.boot:
        assert f"systemd.machine_id={'ab' * 16}" in words[words.index("-append") + 1]


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


def test_a_machine_that_goes_on_is_not_saved_any_more(made: Made) -> None:
    """The program that packs outlives a suspend that is killed, and qemu would stop when all is in its pipe."""
    made.start()
    with Client(str(Path(made.driver.sockets, paths.QMP)), 30) as client:
        client.command("stop")
    with effects() as found:
        made.driver.power(Verb.START)
    said = [json.loads(line)["execute"] for line in found.sent]
    assert said.index("migrate_cancel") < said.index("cont")
    assert made.driver.state() is State.RUNNING


def qemu_img(*words: object) -> None:
    subprocess.run(["qemu-img", *map(str, words)], stdout=subprocess.DEVNULL, check=True)


def source(made: Made, *, base: Path) -> Path:
    """The disk of the machine dev over a base image, with a snapshot; what `made` is a clone of."""
    disk = Path(made.ctx.directory).parent / "dev" / paths.DISK
    disk.parent.mkdir()
    base.write_bytes(b"below".ljust(1 << 20, b"."))
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", base, disk, "2M")
    qemu_img("snapshot", "-c", "machine-one", disk)
    Path(made.ctx.directory, paths.DISK).unlink(missing_ok=True)
    known = {"name": "x", "arch": "amd64", "disk": str(base), "format": "raw"}
    made.driver.data |= {"Base": known, "CloneOf": {"Machine": "dev", "Snapshot": "one"}}
    return disk


def test_a_clone_has_a_copy_of_what_its_source_has_alone_and_writes_that_down_first(made: Made) -> None:
    """Else a create that is killed here could not be resumed: its disk would stand on what nobody knows of."""
    directory = Path(made.ctx.directory)
    source(made, base=directory.parent / "dev" / paths.BASE)
    images = BaseImage(made.ctx, made.driver.data)
    made.saved.clear()
    clone.make_disk(made.driver, made.driver.data, DEV_ONE, images, 4)
    assert [one["Base"]["disk"] for one in made.saved] == [str(directory / paths.BASE)]
    (directory / paths.DISK).unlink()
    clone.make_disk(made.driver, made.driver.data, DEV_ONE, images, 4)  # again
    qemu_img("check", directory / paths.DISK)


def test_no_clone_is_made_of_a_snapshot_that_is_larger_than_the_disk_now(made: Made) -> None:
    """qemu-img would copy the part of it that the disk has now, and say nothing."""
    disk = Path(made.ctx.directory, paths.DISK)
    qemu_img("create", "-f", "qcow2", disk, "1M")
    qemu_img("snapshot", "-c", "machine-small", disk)
    qemu_img("resize", disk, "2M")
    qemu_img("snapshot", "-c", "machine-large", disk)
    qemu_img("snapshot", "-a", "machine-small", disk)
    clone.check_size(made.ctx, "small")
    with pytest.raises(UsageError, match="was larger at large") as caught:
        clone.check_size(made.ctx, "large")
    assert "machine set --qemu-disk-size 2 " in caught.value.resolution


def test_no_clone_is_made_of_a_machine_that_stands_on_something_else_meanwhile(made: Made, tmp_path: Path) -> None:
    """Only what differs from the base is copied. Another machine may have the name of the source by now."""
    source(made, base=tmp_path / "base")
    made.driver.data["Base"]["disk"] = str(tmp_path / "other")
    (tmp_path / "other").write_bytes(b"other".ljust(1 << 20, b"."))
    with pytest.raises(DriverError, match="not the one that was made for this machine"):
        clone.make_disk(made.driver, made.driver.data, DEV_ONE, BaseImage(made.ctx, made.driver.data), 4)
    assert not Path(made.ctx.directory, paths.DISK).exists()


@pytest.mark.parametrize("goes_on", [False, True])
def test_only_a_machine_that_goes_on_has_the_ports_from_before(tmp_path: Path, goes_on: bool) -> None:
    """One that boots anew, as after its qemu was killed, reports what its containers open when they do."""
    report = tmp_path / paths.PORT_REPORT
    report.write_text("{}")
    machine = replace(PLAIN, directory=str(tmp_path), sockets=str(tmp_path))
    vm.launch(machine, lambda *words, **options: Completed(0), goes_on=goes_on)
    assert report.exists() == goes_on
