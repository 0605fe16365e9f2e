"""Snapshots of a machine, inside its own disk image (qcow2): the disk, and the memory of one that runs if wanted.

https://www.qemu.org/docs/master/system/images.html#vm-005fsnapshots. The image says which there are; the driver's
record says what hardware the memory needs, and is written first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from machine.drivers.base import Driver, Snapshot
from machine.drivers.images import disks, snapshot_tag
from machine.drivers.qemu import change, hardware, paths, port_report, vm
from machine.drivers.qemu.instance import Instance
from machine.drivers.qemu.qmp import Client, QmpError
from machine.drivers.record_keys import SNAPSHOTS
from machine.errors import CommandFailed, DriverError, MachineError

SAVE_SECONDS = 600.0  # for the memory of a large machine, to a slow disk
MOST = 500  # snapshots of one machine that are listed
_PREFIX = "machine-"  # so that no tag is taken for one of the numbers that qemu gives
_NAME = re.compile(f"{_PREFIX}({snapshot_tag.PATTERN})")


class RecordRestored(Protocol):
    """Writes down what a restored machine has: MB of disk and memory, and how many processors; 0: as before."""

    def __call__(self, disk: int, memory: int = 0, cpus: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class QemuSnapshots:
    """The snapshots of the machine of `driver`; `data` is the driver's part of its record."""

    driver: Driver
    data: dict[str, Any]
    instance: Instance
    record_restored: RecordRestored

    @property
    def restored_options(self) -> Sequence[str]:
        """Memory and processors, which are those of a restored memory, and the size of the disk."""
        return (change.MEMORY, change.CPUS, change.DISK)

    def all(self) -> list[Snapshot]:
        """Return the machine's snapshots, oldest first. Raises DriverError if its disk cannot be read."""
        return of_disk(self._disk(), self.driver)

    def take(self, tag: str, *, memory: bool) -> bool:
        """Make the snapshot `tag`, with the memory if the machine runs and `memory`; return whether it has that.

        Raises DriverError if that fails.
        """
        with self._lock():
            if not self.instance.pid():
                self._img("-c", _PREFIX + tag)
                return False
            if memory:
                self._take_with_memory(tag)
            else:
                self._take_disk(tag)
            return memory

    def restore(self, wanted: Snapshot) -> None:
        """Bring disk and memory to what they were; a machine whose snapshot has its memory runs afterwards.

        The machine is off when this is called. Raises InProgress while its ports are not free yet, before anything is
        changed.
        """
        if wanted.memory:
            self.instance.check_ports()
        with self._lock():
            self._img("-a", _PREFIX + wanted.tag)
        disk = disks.inspect(self._disk()).size >> 20  # that of the snapshot, which may be smaller
        known = self._hardware().get(wanted.tag)
        if not wanted.memory:
            self.record_restored(disk)
            return
        if not hardware.is_sound(known):
            self.record_restored(disk)
            name = self.driver.ctx.name
            raise DriverError(
                f"the record of {name} does not say what hardware the memory of {wanted.tag} needs",
                resolution=f"machine start {name} boots the disk of {wanted.tag}, which is restored",
            )
        self.record_restored(disk, known["memory"], known["cpus"])
        self._restore_memory(wanted.tag, known)

    def remove(self, tag: str) -> None:
        """Remove the snapshot `tag`."""
        with self._lock():
            if self.instance.pid():
                with Client(self._socket(), SAVE_SECONDS) as client:
                    _monitor(client, f"delvm {_PREFIX}{tag}")
            else:
                self._img("-d", _PREFIX + tag)
        self._forget(tag)

    def _take_disk(self, tag: str) -> None:
        """Keep the disk of a running machine, which has what the machine has written until now; takes an instant."""
        with Client(self._socket(), SAVE_SECONDS) as client:
            client.command("blockdev-snapshot-internal-sync", device="disk", name=_PREFIX + tag)

    def _take_with_memory(self, tag: str) -> None:
        name = self.driver.ctx.name
        instead = f"machine stop {name}, then machine snapshot {name} {tag} keeps its disk"
        self.instance.check_memory_savable(instead)
        with Client(self._socket(), SAVE_SECONDS) as client:
            self._note({**self._hardware(), tag: hardware.of(self.instance.machine(), client)})
            port_report.copy(self.instance.file(paths.PORT_REPORT), self._port_report(tag))
            try:
                _monitor(client, f"savevm {_PREFIX}{tag}")
            except QmpError:  # it may still come to an end with it
                raise
            except DriverError as error:
                self._forget(tag)
                error.resolution = f"look whether there is room; {instead}"
                raise

    def _restore_memory(self, tag: str, known: dict[str, Any]) -> None:
        """Start qemu with the memory of a snapshot.

        It goes on by itself when it has read all of it, and ends if it cannot: whoever is killed here leaves none that
        has half of its memory and that `start` would let run.
        """
        machine = replace(hardware.as_known(self.instance.machine(), known), snapshot=_PREFIX + tag)
        port_report.copy(self._port_report(tag), self.instance.file(paths.PORT_REPORT))
        try:
            self.instance.launch(machine, goes_on=True)
        except BaseException as error:
            self.instance.kill()  # it may go on reading where it was too slow
            if isinstance(error, DriverError):
                name = self.driver.ctx.name
                error.resolution = f"machine start {name} boots the disk of {tag}, which is restored"
            raise
        self.instance.start_forwarder(machine)

    def _forget(self, tag: str) -> None:
        disks.remove(self._port_report(tag))
        known = self._hardware()
        if known.pop(tag, None) is not None:
            self._note(known)

    def _hardware(self) -> dict[str, Any]:
        """Return what the record says of the hardware that memories need, by the tags of their snapshots."""
        known = self.data.get(SNAPSHOTS)
        return dict(known) if isinstance(known, dict) else {}

    def _note(self, known: dict[str, Any]) -> None:
        self.data[SNAPSHOTS] = known
        self.driver.ctx.save(self.driver)

    def _img(self, verb: str, name: str) -> None:
        """Have qemu-img work on the disk of a machine that is off, if that is its own: all below it is opened, too."""
        self.instance.check_disk()
        try:
            self.driver.ctx.run(["qemu-img", "snapshot", verb, name, self._disk()], timeout=SAVE_SECONDS)
        except CommandFailed as error:
            raise DriverError(
                f"the disk of {self.driver.ctx.name} could not be changed",
                details=error.details,
                resolution="make room on that disk, or end what uses it; then try again",
            ) from error

    def _lock(self) -> Any:
        """Be the only one who changes the list of snapshots, or reads from it, by others than its machine's lock."""
        return self.driver.ctx.lock(f"disk-{self.driver.ctx.name}")

    def _port_report(self, tag: str) -> str:
        """Return the file of what the machine had said of its ports when the snapshot was made."""
        return self.instance.file(f"port-report-{tag}.json")

    def _disk(self) -> str:
        return self.instance.file(paths.DISK)

    def _socket(self) -> str:
        return self.instance.socket(paths.QMP)


def of_disk(disk: str, driver: Driver) -> list[Snapshot]:
    """Return the snapshots of a machine's disk image, oldest first. Raises DriverError if qemu-img cannot read it."""
    try:
        printed = driver.ctx.run(
            ["qemu-img", "info", "-U", "-f", "qcow2", "--output=json", disk], timeout=vm.START_SECONDS
        ).stdout
        return read(json.loads(printed))
    except (MachineError, ValueError, RecursionError) as error:
        details = error.details if isinstance(error, MachineError) else ""
        raise DriverError(
            f"the snapshots in {disk} cannot be read",
            details=details,
            resolution=f"machine status {driver.ctx.name} shows whether that machine is there",
        ) from error


def read(told: object) -> list[Snapshot]:
    """Return the snapshots of which `qemu-img info --output=json` tells, oldest first; those that are not ours are left
    out.
    """
    listed = told.get("snapshots") if isinstance(told, dict) else None
    if not isinstance(listed, list):
        return []
    found = [_snapshot(one) for one in listed[:MOST] if isinstance(one, dict)]
    return sorted((one for one in found if one), key=lambda one: one.made)


def _snapshot(told: Mapping[str, object]) -> Snapshot | None:
    named = _NAME.fullmatch(str(told.get("name")))
    seconds, size = told.get("date-sec"), told.get("vm-state-size")
    if not named or not isinstance(seconds, int) or not isinstance(size, int) or not 0 <= seconds < 1 << 33:
        return None
    return Snapshot(named[1], datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds"), memory=size > 0)


def _monitor(client: Client, line: str) -> None:
    """A command of qemu's human monitor, which is silent unless it fails."""
    if said := client.monitor(line):
        raise DriverError(f"qemu refused: {line.partition(' ')[0]}", details=said[:2000])
