"""The virtual machine of one record: its command line, its qemu process, and the forwarder beside that."""

from __future__ import annotations

import os
import uuid
from typing import Any, Protocol

from machine import background
from machine.drivers import record_keys
from machine.drivers.base import DriverContext
from machine.drivers.images import clone_source, disks
from machine.drivers.images.cache import NVME
from machine.drivers.qemu import accel, argv, assignment, config, net, paths, process, vm
from machine.drivers.qemu.base_image import BaseImage
from machine.drivers.qemu.config import Settings, own_ports
from machine.drivers.qemu.warm import WarmStart
from machine.errors import DriverError, InProgress

_NAMESPACE = uuid.UUID("5c1f9e0e-8f2b-4c7e-9d0a-7a84f1272376")  # of the uuids made from machine ids


class Recorded(Protocol):
    """What is known of the machine: what it shall be, and what was found out (the driver's part of the record)."""

    ctx: DriverContext
    settings: Settings
    data: dict[str, Any]


class Instance:
    """What runs, or can be run, of the machine that `recorded` tells of."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded, self._ctx = recorded, recorded.ctx
        self.images = BaseImage(recorded.ctx, recorded.data)
        self.uuid = str(uuid.uuid5(_NAMESPACE, recorded.ctx.machine_id))
        self.sockets = paths.runtime(recorded.ctx.directory, recorded.ctx.machine_id)
        self._last_pid = 0  # of the machine's qemu, when this process last saw it
        self._port_check = assignment.PortCheck()

    def place(self) -> net.NetworkAddress:
        """Return the machine's addresses and ports."""
        return net.recorded(self._recorded.data)

    def machine(self) -> argv.Machine:
        """Return the machine as its record has it."""
        host, settings, place, image = accel.detect(), self._recorded.settings, self.place(), self.images.recorded()
        return argv.Machine(
            program=settings.program or accel.program(host.arch),
            name=self._ctx.name,
            uuid=self.uuid,
            arch=host.arch,
            accel=self.accel(),
            cpus=os.cpu_count() or 1 if settings.cpus == -1 else settings.cpus,
            memory=settings.memory,
            directory=self._ctx.directory,
            sockets=self.sockets,
            place=place,
            lan=net.lan_of(self._ctx.store),
            nat_mac=net.nat_mac(self._ctx.machine_id),
            forwards=argv.forwards(place, settings.publish),
            guarded=not config.reaches_host(settings, self._ctx),
            boot=self.images.cache.boot(image),
            firmware="" if image.kernel else vm.firmware(host.arch),
            unrandomized=bool(self._recorded.data.get("Unrandomized")),
            machine_id=self.uuid.replace("-", "") if clone_source.recorded(self._recorded.data) else "",
        )

    def check_memory_savable(self, instead: str) -> None:
        """Raise DriverError, with what to do `instead`, if qemu cannot save the memory of the machine."""
        image = self.images.recorded()
        if image.kernel and image.root == NVME:
            raise DriverError(
                f"qemu cannot save the memory of {self._ctx.name}: its disk is an NVMe disk, because of its image",
                resolution=f"{instead}; a machine of an image that is built here (debian-13) has another kind of disk",
            )

    def accel(self) -> str:
        """Return the accelerator of the machine's processor: kvm, hvf or tcg."""
        wanted = self._recorded.settings.accel
        return accel.choose(accel.detect()) if wanted == "auto" else wanted

    def pid(self) -> int:
        """Return the pid of the machine's qemu, 0 when it does not run."""
        pid = process.find(self._ctx.directory, self.uuid, self._ctx.run)
        self._last_pid = pid or self._last_pid
        return pid

    def kill(self) -> None:
        """Cut the power; `is_ending` until the machine's ports are free again."""
        for pid in process.find_all(self._ctx.directory, self.uuid, self._ctx.run) if self.pid() else ():
            process.end(pid)

    def is_ending(self) -> bool:
        """Whether the process that was seen last still holds something, such as ports, though it has ended."""
        return bool(self._last_pid) and not process.gone(self._last_pid)

    def end(self) -> None:
        """Cut the power. Raises InProgress while the process is ending."""
        self.kill()
        if self.is_ending():
            raise InProgress(f"the qemu of {self._ctx.name} is ending")

    def check_ports(self) -> None:
        """Raise DriverError if another program has a port of the machine; InProgress at first."""
        self._port_check.check(self._ctx, self.place(), self._recorded.settings.publish)

    def power_on(self) -> None:
        """Boot the machine."""
        machine = self.machine()
        self.launch(machine)
        self.start_forwarder(machine)

    def launch(self, machine: argv.Machine, *, goes_on: bool = False) -> None:
        """Start qemu, when the disk is seen to be the machine's own; `goes_on` as in vm.launch. Raises DriverError."""
        self.check_disk()
        vm.launch(machine, self._ctx.run, goes_on=goes_on)

    def check_disk(self) -> None:
        """Raise DriverError unless the disk stands on what it was made over."""
        image = self.images.recorded()
        if below := self._recorded.data.get(record_keys.TEMPLATE_DISK):
            self.warm_start().check_disk(str(below), image)
        else:
            vm.check_disk(self.file(paths.DISK), self.images.seen_from_machine(image), image.format)

    def start_forwarder(self, machine: argv.Machine) -> None:
        """Start the forwarder, which is expected to run from now on."""
        background.expect(self.file(paths.FORWARDER_LOCK))
        self._start_forwarder(machine)

    def restart_forwarder(self) -> bool:
        """Start the forwarder again if it is not there although the machine runs, and return whether that does."""
        if self.pid():
            self._start_forwarder(self.machine())
            return True
        disks.remove(self.file(paths.FORWARDER_LOCK))
        return False

    def _start_forwarder(self, machine: argv.Machine) -> None:
        vm.start_forwarder(machine, self._ctx.run, own_ports(self._recorded.settings, self._ctx))

    def warm_start(self) -> WarmStart:
        """Return what knows of templates."""
        return WarmStart(self._ctx, self._recorded.settings, self.images.cache.directory)

    def file(self, name: str) -> str:
        """Return the path of a file of the machine's."""
        return os.path.join(self._ctx.directory, name)

    def socket(self, name: str) -> str:
        """Return the path of a socket of the machine's qemu."""
        return os.path.join(self.sockets, name)
