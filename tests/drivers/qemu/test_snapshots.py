"""Snapshots in a machine's own disk, on a real qemu: what is kept, what comes back, and what the record says then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers.base import Snapshot
from machine.drivers.images import disks
from machine.drivers.images.cache import NVME
from machine.drivers.qemu import argv, hardware, paths, snapshots, vm
from machine.drivers.qemu.driver import QemuDriver
from machine.drivers.qemu.instance import Instance
from machine.drivers.record_keys import BASE, SNAPSHOTS
from machine.errors import DriverError
from machine.model import State, Verb
from machine.process import Completed
from tests.drivers.qemu.test_argv import PLAIN
from tests.drivers.qemu.test_driver import Made
from tests.drivers.qemu.test_saved_state import HARDWARE, qemu_img
from tests.drivers.recording import effects

MEMORY = {**HARDWARE, "memory": 16, "cpus": 1}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """A machine with a disk of 20000 MB over a base image."""
    found = Made(tmp_path)
    found.place()
    base = tmp_path / "base.raw"
    base.write_bytes(b"below".ljust(1 << 20, b"."))
    disk_of(found).unlink()
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", base, disk_of(found), "20000M")
    found.driver.data[BASE] = {"name": "x", "arch": "amd64", "disk": str(base), "format": "raw"}
    yield found
    found.driver.power(Verb.KILL)
    found.end()


def disk_of(made: Made) -> Path:
    return Path(made.ctx.directory, paths.DISK)


def words(made: Made, card: str = "virtio-blk-pci") -> list[str]:
    """The arguments of a qemu with the machine's disk and 16 MB of memory, which waits."""
    line = ["-m", "16M", "-smp", "1", "-nodefaults", "-display", "none", "-accel", "tcg", "-S", "-machine", "pc"]
    return [*line, "-drive", f"if=none,id=disk,format=qcow2,file={disk_of(made)}", "-device", f"{card},drive=disk"]


def start(made: Made, card: str = "virtio-blk-pci") -> None:
    """Start the machine, which runs from then on for its driver."""
    made.start([*words(made, card)])


def with_memory(made: Made, tag: str) -> None:
    """Give the disk a snapshot with the memory of a machine that has not booted."""
    said = f"savevm machine-{tag}\nquit\n".encode()
    argv = ["qemu-system-x86_64", *words(made), "-monitor", "stdio"]
    subprocess.run(argv, input=said, stdout=subprocess.DEVNULL, check=True, timeout=120)


def snapshots_of(made: Made) -> snapshots.QemuSnapshots:
    return made.driver.snapshots()


def taken(made: Made) -> list[tuple[str, bool]]:
    return [(one.tag, one.memory) for one in snapshots_of(made).all()]


@pytest.mark.parametrize("card", ["virtio-blk-pci", "nvme,serial=machine"])
def test_a_running_machine_gives_its_disk_without_its_memory(made: Made, card: str) -> None:
    """For a clone, which boots; and the only snapshot that one with an NVMe disk can have while it runs."""
    start(made, card)
    before = disk_of(made).stat().st_size
    assert not snapshots_of(made).take("clone-1", memory=False)
    assert taken(made) == [("clone-1", False)]
    assert disk_of(made).stat().st_size - before < 1 << 20
    assert SNAPSHOTS not in made.driver.data
    with pytest.raises(DriverError, match="refused"):
        snapshots_of(made).take("clone-1", memory=False)
    snapshots_of(made).remove("clone-1")
    assert taken(made) == []


def test_a_running_machine_gives_its_memory_if_that_is_wanted(made: Made) -> None:
    start(made)
    assert snapshots_of(made).take("one", memory=True)
    assert taken(made) == [("one", True)]
    assert hardware.is_sound(made.saved[-1][SNAPSHOTS]["one"])


def test_a_machine_that_is_off_has_no_memory_to_give(made: Made) -> None:
    assert not snapshots_of(made).take("one", memory=True)
    assert taken(made) == [("one", False)]


def test_the_memory_beside_an_nvme_disk_is_not_tried_to_be_kept(made: Made) -> None:
    """qemu would refuse it in words that help nobody."""
    made.driver.data[BASE] |= {"kernel": "vmlinuz", "root": NVME}
    start(made, "nvme,serial=machine")
    name = made.ctx.name
    with effects() as found:
        with pytest.raises(DriverError, match="NVMe") as snapshot:
            snapshots_of(made).take("one", memory=True)
        with pytest.raises(DriverError, match="NVMe") as suspend:
            made.driver.suspend()
    assert f"machine stop {name}, then machine snapshot {name} one" in snapshot.value.resolution
    assert f"machine stop {name}" in suspend.value.resolution
    assert not found.sent


def test_what_qemu_refuses_leaves_nothing_and_says_what_helps(made: Made) -> None:
    start(made, "nvme,serial=machine")  # the record says of another kind of disk
    with pytest.raises(DriverError, match="qemu refused: savevm") as caught:
        snapshots_of(made).take("one", memory=True)
    assert "non-migratable device" in caught.value.details
    assert f"machine stop {made.ctx.name}" in caught.value.resolution
    assert made.saved[-1][SNAPSHOTS] == {}
    with pytest.raises(DriverError, match="qemu refused migrate") as caught:
        made.driver.suspend()
    assert f"machine stop {made.ctx.name} shuts it down" in caught.value.resolution


def test_a_restored_snapshot_has_the_disk_that_it_had(made: Made) -> None:
    """And so has the record, where `machine set` has made it larger since."""
    snapshots_of(made).take("small", memory=True)
    made.driver.change({"qemu-disk-size": 22000, "qemu-memory": 1536})
    qemu_img("resize", disk_of(made), "22000M")
    snapshots_of(made).restore(snapshots_of(made).all()[0])
    assert disks.inspect(str(disk_of(made))).size == 20000 << 20
    again = QemuDriver.load(made.ctx, made.saved[-1])
    assert (again.wanted_disk(), again.settings.memory) == (20000, 1536), "there is no memory that needs another size"


def test_a_disk_that_is_another_one_meanwhile_is_not_touched(made: Made, tmp_path: Path) -> None:
    """qemu-img opens whatever it stands on."""
    snapshots_of(made).take("one", memory=True)
    other = tmp_path / "other.raw"
    other.write_bytes(b"other".ljust(1 << 20, b"."))
    qemu_img("rebase", "-u", "-F", "raw", "-b", other, disk_of(made))
    before = disk_of(made).read_bytes()
    snapshot = snapshots_of(made).all()[0]
    for act in (
        lambda: snapshots_of(made).restore(snapshot),
        lambda: snapshots_of(made).remove("one"),
        lambda: snapshots_of(made).take("two", memory=True),
    ):
        with pytest.raises(DriverError, match="not the one that was made for this machine"):
            act()
    assert disk_of(made).read_bytes() == before


def test_a_disk_that_is_no_image(made: Made) -> None:
    disk_of(made).write_bytes(b"QFI\xfb" + bytes(200))
    with pytest.raises(DriverError, match="cannot be read") as caught:
        snapshots_of(made).all()
    assert f"machine status {made.ctx.name}" in caught.value.resolution


@dataclass
class Recorded:
    """What was written down of a restored machine."""

    found: list[tuple[int, int, int]] = field(default_factory=list)

    def __call__(self, disk: int, memory: int = 0, cpus: int = 0) -> None:
        self.found.append((disk, memory, cpus))


class Restoring(Instance):
    """An instance whose qemu has the hardware of `words`, or has none."""

    def __init__(self, made: Made, *, fits: bool) -> None:
        super().__init__(made.driver)
        self.made, self.fits, self.forwarding = made, fits, False
        self.expected = False  # whether the forwarder was expected when qemu was started

    def machine(self) -> argv.Machine:
        return replace(PLAIN, directory=self.made.ctx.directory, sockets=self.made.driver.sockets)

    def check_ports(self) -> None:
        pass

    def launch(self, machine: argv.Machine, *, goes_on: bool = False) -> None:
        assert (machine.memory, machine.cpus, goes_on) == (16, 1, True)
        hardware = [word for word in words(self.made) if word != "-S"]
        own = argv.build(machine)
        kept = [*own[own.index("-loadvm") :], "-daemonize", "-pidfile", self.file(paths.PID), "-uuid", self.uuid]
        kept += ["-qmp", f"unix:{self.socket(paths.QMP)},server=on,wait=off"]

        def run(_: list[str], *, timeout: float) -> Completed:
            assert timeout > 60, "a large memory takes longer than qemu's start"
            self.expected = Path(self.file(paths.FORWARDER_LOCK)).exists()
            memory = [] if self.fits else ["-m", "32M"]
            program = ["qemu-system-x86_64", *hardware, *memory]
            return self.made.ctx.run([*program, *kept], timeout=timeout)

        vm.launch(machine, run, goes_on=goes_on)

    def start_forwarder(self, machine: argv.Machine) -> None:
        self.forwarding = True


def restoring(made: Made, *, fits: bool = True) -> tuple[snapshots.QemuSnapshots, Recorded, Restoring]:
    with_memory(made, "one")
    made.driver.data[SNAPSHOTS] = {"one": MEMORY}
    instance, recorded = Restoring(made, fits=fits), Recorded()
    return snapshots.QemuSnapshots(made.driver, made.driver.data, instance, recorded), recorded, instance


def test_the_record_has_memory_and_processors_of_a_restored_memory(made: Made) -> None:
    """And the list of snapshots, which the caller has read, is not read again."""
    found, recorded, instance = restoring(made)
    (snapshot,) = found.all()
    ran: list[str] = []

    def run(argv: list[str], **how: Any) -> Completed:
        ran.extend(argv[:2])
        return made.ctx.run(argv, **how)

    made.driver.ctx = replace(made.ctx, run=run)
    found.restore(snapshot)
    assert recorded.found == [(20000, 16, 1)]
    assert instance.forwarding
    assert ran == ["qemu-img", "snapshot"]


def test_a_machine_whose_memory_could_not_be_restored_never_runs_with_half_of_it(made: Made) -> None:
    """qemu takes `cont` after a loadvm of its monitor that failed; one that was started with it ends by itself."""
    found, recorded, instance = restoring(made, fits=False)
    with pytest.raises(DriverError, match="could not start") as caught:
        found.restore(found.all()[0])
    assert "Size mismatch: pc.ram" in caught.value.details
    assert "boots the disk of one" in caught.value.resolution
    assert made.driver.state() is State.STOPPED
    assert recorded.found == [(20000, 16, 1)]
    assert not instance.forwarding


def test_a_restored_machine_needs_nobody_to_go_on(made: Made) -> None:
    """Whoever is killed while qemu reads the memory: it runs then, and the next command starts its forwarder."""
    found, _, instance = restoring(made)
    found.restore(found.all()[0])
    assert made.driver.state() is State.RUNNING
    assert instance.expected


def test_a_restore_that_was_killed_while_its_qemu_waits_is_gone_on_with(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has all of its memory then. Nobody has started the forwarder yet."""
    forwarding: list[Instance] = []
    monkeypatch.setattr(Instance, "start_forwarder", lambda self, machine: forwarding.append(self))
    start(made)
    assert made.driver.state() is State.STARTING
    made.driver.power(Verb.START)
    assert made.driver.state() is State.RUNNING
    assert len(forwarding) == 1
    made.driver.power(Verb.START)
    assert len(forwarding) == 1


@pytest.mark.parametrize("known", [None, [], "x", {}, {"one": []}, {"one": {**MEMORY, "board": "pc,x=y"}}])
def test_a_record_that_says_something_else_of_the_hardware(made: Made, known: object) -> None:
    found, recorded, _ = restoring(made)
    made.driver.data[SNAPSHOTS] = known
    with pytest.raises(DriverError, match="does not say what hardware") as caught:
        found.restore(found.all()[0])
    assert f"machine start {made.ctx.name} boots the disk of one" in caught.value.resolution
    assert recorded.found == [(20000, 0, 0)]
    found.remove("one")
    assert found.all() == []


def test_all_processors_of_this_computer_stay_all_of_them(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.driver.change({"qemu-cpu-count": -1})
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert hardware.restored(made.driver.settings, 20000, 512, 2).cpus == -1
    assert hardware.restored(made.driver.settings, 20000, 512, 4).cpus == 4


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


@pytest.mark.parametrize(("incoming", "expected"), [(False, True), (True, False)])
def test_the_forwarder_of_a_machine_that_runs_by_itself_is_expected_before_qemu_is_started(
    tmp_path: Path, incoming: bool, expected: bool
) -> None:
    """Who is killed in between leaves a machine whose ports the next command opens."""
    machine = replace(PLAIN, directory=str(tmp_path), sockets=str(tmp_path), incoming=incoming)
    found: list[bool] = []

    def run(_: list[str], **__: object) -> Completed:
        found.append((tmp_path / paths.FORWARDER_LOCK).exists())
        return Completed(0)

    vm.launch(machine, run)
    assert found == [expected]
