"""Snapshots of a machine, inside its own disk image (qcow2): the disk, and the memory too if it runs.

https://www.qemu.org/docs/master/system/images.html#vm-005fsnapshots. The image says which there are; the driver's
record says what hardware the memory needs, and is written first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from machine.drivers.base import Driver, Snapshot
from machine.drivers.images import disks
from machine.drivers.qemu import hardware, paths, port_report, vm
from machine.drivers.qemu.instance import Instance
from machine.drivers.qemu.qmp import Client
from machine.drivers.record_keys import SNAPSHOTS
from machine.errors import CommandFailed, DriverError, MachineError

SAVE_SECONDS = 600.0  # for the memory of a large machine, to a slow disk
MOST = 500  # snapshots of one machine that are listed
_PREFIX = "machine-"  # so that no tag is taken for one of the numbers that qemu gives
_NAME = re.compile(rf"{_PREFIX}([A-Za-z0-9][A-Za-z0-9_.-]{{0,62}})")


@dataclass(frozen=True, slots=True)
class QemuSnapshots:
    """The snapshots of the machine of `driver`; `data` is the driver's part of its record.

    `record_disk` writes down the MB of the disk.
    """

    driver: Driver
    data: dict[str, Any]
    instance: Instance
    record_disk: Callable[[int], None]

    def all(self) -> list[Snapshot]:
        """Return the machine's snapshots, oldest first. Raises DriverError if its disk cannot be read."""
        return of_disk(self._disk(), self.driver)

    def take(self, tag: str) -> None:
        """Make the snapshot `tag`, with the memory if the machine runs. Raises DriverError if that fails."""
        with self._lock():
            if self.instance.pid():
                self._take_running(tag)
            else:
                self._img("-c", _PREFIX + tag)

    def restore(self, tag: str) -> None:
        """Bring disk and memory to what they were; a machine whose snapshot has its memory runs afterwards.

        The machine is off when this is called. Raises InProgress while its ports are not free yet, before anything is
        changed.
        """
        wanted = next(one for one in self.all() if one.tag == tag)
        if wanted.memory:
            self.instance.check_ports()
        with self._lock():
            self._img("-a", _PREFIX + tag)
        self.record_disk(disks.inspect(self._disk()).size >> 20)  # that of the snapshot, which may be smaller
        if wanted.memory:
            self._restore_memory(tag)

    def remove(self, tag: str) -> None:
        """Remove the snapshot `tag`."""
        with self._lock():
            if self.instance.pid():
                with Client(self._socket(), SAVE_SECONDS) as client:
                    _monitor(client, f"delvm {_PREFIX}{tag}")
            else:
                self._img("-d", _PREFIX + tag)
        self._forget(tag)

    def _take_running(self, tag: str) -> None:
        with Client(self._socket(), SAVE_SECONDS) as client:
            known = dict(self.data.get(SNAPSHOTS) or {})
            known[tag] = hardware.of(self.instance.machine(), client)
            self.data[SNAPSHOTS] = known
            self.driver.ctx.save(self.driver)
            port_report.copy(self.instance.file(paths.PORT_REPORT), self._port_report(tag))
            _monitor(client, f"savevm {_PREFIX}{tag}")

    def _restore_memory(self, tag: str) -> None:
        known = (self.data.get(SNAPSHOTS) or {}).get(tag)
        if not isinstance(known, dict) or not hardware.is_sound(known):
            raise DriverError(
                f"the record of {self.driver.ctx.name} does not say what hardware the memory of {tag} needs",
                resolution=f"machine start {self.driver.ctx.name} boots the disk of {tag}, which is restored",
            )
        machine = replace(hardware.as_known(self.instance.machine(), known), paused=True)
        self.instance.launch(machine)
        try:
            with Client(self._socket(), SAVE_SECONDS) as client:
                _monitor(client, f"loadvm {_PREFIX}{tag}")
                client.command("cont")
        except BaseException as error:  # with half of its memory it must never run, and `start` would let it
            self.instance.kill()
            if isinstance(error, DriverError):
                name = self.driver.ctx.name
                error.resolution = f"machine start {name} boots the disk of {tag}, which is restored"
            raise
        port_report.copy(self._port_report(tag), self.instance.file(paths.PORT_REPORT))
        self.instance.start_forwarder(machine)

    def _forget(self, tag: str) -> None:
        disks.remove(self._port_report(tag))
        known = dict(self.data.get(SNAPSHOTS) or {})
        if known.pop(tag, None) is not None:
            self.data[SNAPSHOTS] = known
            self.driver.ctx.save(self.driver)

    def _img(self, verb: str, name: str) -> None:
        """Have qemu-img work on the disk of a machine that is off."""
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
        printed = driver.ctx.run(["qemu-img", "info", "-U", "--output=json", disk], timeout=vm.START_SECONDS).stdout
        return read(json.loads(printed))
    except (MachineError, ValueError, RecursionError) as error:
        details = error.details if isinstance(error, MachineError) else ""
        raise DriverError(f"the snapshots in {disk} cannot be read", details=details) from error


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
