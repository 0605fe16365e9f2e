"""Driver qemu: what to make, in which order, and what each state means. The rest is in the files beside it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from machine import forwarder_lock
from machine.drivers import record_keys
from machine.drivers.base import Driver, DriverContext, Traits, preflight_errors
from machine.drivers.images import console, disks, image_usage, nat, seed
from machine.drivers.images.cache import NVME, Image
from machine.drivers.qemu import (
    abandoned,
    accel,
    argv,
    assignment,
    config,
    diagnosis,
    net,
    paths,
    preflight,
    process,
    vm,
)
from machine.drivers.qemu.base_image import BaseImage
from machine.drivers.qemu.identity import Identity
from machine.drivers.qemu.options import OPTIONS
from machine.drivers.qemu.qmp import Client
from machine.drivers.qemu.suspension import Suspension
from machine.drivers.qemu.warm import WarmStart
from machine.errors import DriverError, InProgress, MachineError
from machine.hostport import ENGINE_PORT
from machine.model import Endpoint, State, Verb
from machine.options import Values
from machine.wait import Clock

_NAMESPACE = uuid.UUID("5c1f9e0e-8f2b-4c7e-9d0a-7a84f1272376")  # of the uuids made from machine ids
QMP_STATES = {
    "running": State.RUNNING,
    "paused": State.PAUSED,
    "postmigrate": State.PAUSED,
    "suspended": State.SAVED,
    "prelaunch": State.STARTING,
    "inmigrate": State.STARTING,
    "shutdown": State.STOPPING,
}


class QemuDriver(Driver):
    """A virtual machine of this host."""

    traits: ClassVar[Traits] = Traits(
        name="qemu",
        options=OPTIONS,
        summary="a virtual machine on this host, without root",
        needs="the programs qemu-system and qemu-img",
        can_power=True,
        behind_nat=True,
        host_gateway=nat.GATEWAY,
    )

    def __init__(self, ctx: DriverContext, wanted: config.Settings, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.settings = wanted
        self._images = BaseImage(ctx, data)
        self.data = data  # what was found out: addresses, ports, base image; and keys of a newer version
        self.boot_timeout = float(wanted.boot_timeout)
        self.host_key = ("", "")
        self._suspension = Suspension(ctx, data)
        self._template_failed = False  # it boots then, as without one
        self._last_pid = 0  # of the machine's qemu, when this process last saw it
        self._port_check = assignment.PortCheck()
        self.uuid = str(uuid.uuid5(_NAMESPACE, ctx.machine_id))
        self.sockets = paths.runtime(ctx.directory, ctx.machine_id)

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, config.from_values(values), {})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, config.load(data), dict(data))

    def dump(self) -> dict[str, Any]:
        return {**self.data, **config.dump(self.settings)}

    def give_host_key(self, private: str, public: str) -> None:
        """Take the ssh host key that the machine shall show."""
        self.host_key = (private, public)

    def check(self) -> None:
        host = accel.detect()
        preflight.check(
            self.ctx, self.settings, host, self._images.cache.find(self.settings.image, host.arch) is not None
        )
        with preflight_errors():
            assignment.free(self.ctx, self.settings.publish)

    def create(self) -> None:
        """Image, address, seed, disk, power: each step is skipped when an earlier call has done it.

        A machine that was to start from a template, and has not its own identity yet, begins anew.
        """
        self._undo_restore()
        if self._suspension.exists():
            self._start()
            return
        if self._pid():
            self._start_forwarder(self._machine(self._images.recorded()))  # a crash may have come in between
            return
        image = self._images.obtain(self, self.settings)
        assignment.assign(self, self.data, self.settings.publish)
        self._write_seed(image)
        disk = self._file(paths.DISK)
        if not os.path.exists(disk):
            self.data["Unrandomized"] = True  # for it gets today's port reporter, which is not in older machines
            if self._start_from_template(image):
                return
            vm.make_overlay(disk, self._images.seen_from_machine(image), image.format, self.settings.disk, self.ctx.run)
        self._power_on(image)

    def state(self) -> State:
        """Running only while this machine's own qemu lives; what qemu itself says decides the rest."""
        if self._suspension.exists():
            return State.SAVED
        if not self._pid():
            if self._is_ending():
                return State.STOPPING
            return State.STOPPED if os.path.exists(self._file(paths.DISK)) else State.MISSING
        if self._warm().is_restoring():
            return State.STARTING
        status = vm.status(self._socket(paths.QMP))
        return QMP_STATES.get(status, State.ERROR) if status else State.RUNNING

    def endpoint(self) -> Endpoint | None:
        if not self.data.get("IPAddress"):
            return None
        place = self._place()
        return Endpoint(
            address=place.address,
            ssh_user=self.settings.user,
            ssh_port=place.ssh_port,
            engine_port=place.engine_port,
            peer_address=place.peer,
            listen_port=ENGINE_PORT,
        )

    def power(self, verb: Verb) -> None:
        if verb is Verb.START:
            self._start()
        elif verb is Verb.STOP:
            if self._pid():
                vm.command(self._socket(paths.QMP), "system_powerdown")
        elif verb is Verb.RESTART and self._pid():
            vm.command(self._socket(paths.QMP), "system_reset")
        elif verb is Verb.RESTART:
            self._start()
        else:
            self._kill()
            self._suspension.discard()

    def suspend(self) -> None:
        """Save the memory of the running machine and switch it off. Raises DriverError if it cannot be saved."""
        image = self._images.recorded()
        if image.kernel and image.root == NVME:
            raise DriverError(
                f"the disk of {self.ctx.name} is of a kind that qemu cannot save (NVMe)",
                resolution=f"machine stop {self.ctx.name}; or make it from an image that is built here: debian-13",
            )
        self._suspension.save(self, self._machine(image))

    def remove(self) -> None:
        """The process first; then the files, the disk last, so that a repeated call still knows what to look for.

        Raises InProgress while the process is ending.
        """
        self._kill()
        if self._is_ending():
            raise InProgress(f"the qemu of {self.ctx.name} is ending")
        image_usage.forget(self._images.cache.directory, self.ctx.directory)
        self._warm().release()
        for name in (*paths.SOCKETS, *paths.FILES):
            for directory in {self.ctx.directory, self.sockets}:
                disks.remove(os.path.join(directory, name))
        if self.sockets != self.ctx.directory:
            paths.remove(self.sockets, self.ctx.name)

    def disk_megabytes(self) -> tuple[int, int]:
        """Of the disk, and of the image under it; both the disk's where the image is not there to be asked."""
        try:
            base = os.path.join(self.ctx.directory, self._images.seen_from_machine(self._images.recorded()))
            return self.settings.disk, disks.inspect(base).size >> 20
        except (DriverError, TypeError):
            return self.settings.disk, self.settings.disk

    @classmethod
    def end_processes(cls, directory: str, run: process.Run, clock: Clock) -> Sequence[str]:
        """End the qemu and the forwarder that are proven to be of the machine in `directory`; what was ended."""
        return abandoned.end_processes(directory, run, clock)

    def restart_forwarder(self) -> bool:
        """Start the forwarder again if it is not there although the machine runs."""
        if self._pid():
            vm.start_forwarder(self._machine(self._images.recorded()), self.ctx.run)
            return True
        disks.remove(self._file(paths.FORWARDER_LOCK))
        return False

    def console_log(self) -> str:
        """What the machine printed on its serial console since it was last switched on."""
        return console.read(self._file(paths.CONSOLE))

    def explain(self) -> str:
        """Why a machine may be slow, unreachable or gone."""
        printed = console.diagnose(self.console_log())
        if printed:
            return printed
        state = self.state()
        stopped = vm.status(self._socket(paths.QMP)) if state is State.ERROR else ""
        return diagnosis.explain(state, stopped, self._accel(), self._file(paths.CONSOLE))

    def _start(self) -> None:
        self._warm().check_finished()
        saved = self._suspension.exists()
        if self._pid() and not saved:
            self._suspension.discard()
            self._resume()
            return
        if saved:  # what runs now, if anything, has not gone on since
            self._kill()
            if self._is_ending():
                raise InProgress(f"the qemu of {self.ctx.name} is ending")
        if not os.path.exists(self._file(paths.DISK)):
            raise DriverError(
                f"the disk of {self.ctx.name} is gone",
                resolution=f"machine rm {self.ctx.name} removes what is left; machine create makes it again",
            )
        self._port_check.check(self.ctx, self._place(), self.settings.publish)
        if saved:
            self._restore_saved(self._images.recorded())
        else:
            self._power_on(self._images.recorded())

    def _restore_saved(self, image: Image) -> None:
        """Start qemu with the machine's saved memory. Raises DriverError if that fails, and the memory stays."""
        machine = self._suspension.as_saved(self._machine(image))
        self._launch(machine, image)
        try:
            with Client(self._socket(paths.QMP), 30.0) as client:
                self._suspension.restore(client)
        except DriverError as error:
            self._kill()
            name = self.ctx.name
            error.resolution = f"machine kill {name} gives the saved memory up; machine start {name} boots it then"
            raise
        self._start_forwarder(machine)

    def _resume(self) -> None:
        if vm.status(self._socket(paths.QMP)) in ("paused", "suspended", "io-error"):
            vm.command(self._socket(paths.QMP), "cont")

    def _kill(self) -> None:
        """Cut the power; `_is_ending` until the machine's ports are free again."""
        for pid in process.find_all(self.ctx.directory, self.uuid, self.ctx.run) if self._pid() else ():
            process.end(pid)

    def _is_ending(self) -> bool:
        """Whether the process that this driver saw last still holds something, such as ports, though it has ended."""
        return bool(self._last_pid) and not process.gone(self._last_pid)

    def _place(self) -> net.NetworkAddress:
        return net.recorded(self.data)

    def _start_from_template(self, image: Image) -> bool:
        """Start a machine that has no disk yet from a template; whether it runs, as a machine of its own."""
        start, waiting = self._warm(), replace(self._machine(image), incoming=True)
        if self._template_failed or not start.possible(image):
            return False
        found = start.find_or_make(image, self._images.path(image), waiting)
        if found is None:
            return False
        launched = False
        try:
            start.begin()
            self.data[record_keys.TEMPLATE_DISK] = found.disk
            self.ctx.save(self)
            start.make_disk(found)
            self._launch(waiting, image)
            launched = True
            identity = Identity.of(self.ctx, waiting, self.settings.user, self.host_key)
            start.restore(found, self.sockets, identity)
        except (MachineError, OSError) as error:
            self._template_failed = True
            start.give_up(found, error, broken=launched)
            self._undo_restore()
            return False
        self._start_forwarder(waiting)
        return True

    def _undo_restore(self) -> None:
        """Remove a machine that has not its own identity yet. Raises InProgress while its qemu is ending."""
        start = self._warm()
        if not start.is_restoring():
            return
        self._kill()
        if self._is_ending():
            raise InProgress(f"the qemu of {self.ctx.name} is ending")
        if self.data.get(record_keys.TEMPLATE_DISK):
            self.data[record_keys.TEMPLATE_DISK] = ""
            self.ctx.save(self)
        start.remove_disk()

    def _warm(self) -> WarmStart:
        return WarmStart(self.ctx, self.settings, self._images.cache.directory)

    def _write_seed(self, image: Image) -> None:
        wanted = seed.Seed(
            name=self.ctx.name,
            machine_id=self.ctx.machine_id,
            user=self.settings.user,
            public_key=self.ctx.public_key,
            host_key=self.host_key,
            nat_mac=net.nat_mac(self.ctx.machine_id),
            peer=self._place().peer,
            lan_mac=net.lan_mac(self._place().peer),
            install_port_reporter=not image.up_to_date,
            user_data=self.ctx.user_data,
        )
        seed.write(self._file(paths.SEED), wanted)

    def _machine(self, image: Image) -> argv.Machine:
        host = accel.detect()
        return argv.Machine(
            program=self.settings.program or accel.program(host.arch),
            name=self.ctx.name,
            uuid=self.uuid,
            arch=host.arch,
            accel=self._accel(),
            cpus=os.cpu_count() or 1 if self.settings.cpus == -1 else self.settings.cpus,
            memory=self.settings.memory,
            directory=self.ctx.directory,
            sockets=self.sockets,
            place=self._place(),
            lan=net.lan_of(self.ctx.store),
            nat_mac=net.nat_mac(self.ctx.machine_id),
            forwards=argv.forwards(self._place(), self.settings.publish),
            boot=self._images.cache.boot(image),
            firmware="" if image.kernel else vm.firmware(host.arch),
            unrandomized=bool(self.data.get("Unrandomized")),
        )

    def _power_on(self, image: Image) -> None:
        machine = self._machine(image)
        self._launch(machine, image)
        self._start_forwarder(machine)

    def _launch(self, machine: argv.Machine, image: Image) -> None:
        if below := self.data.get(record_keys.TEMPLATE_DISK):
            self._warm().check_disk(str(below), image)
        else:
            vm.check_disk(self._file(paths.DISK), self._images.seen_from_machine(image), image.format)
        vm.launch(machine, self.ctx.run)

    def _start_forwarder(self, machine: argv.Machine) -> None:
        forwarder_lock.expect(self._file(paths.FORWARDER_LOCK))
        vm.start_forwarder(machine, self.ctx.run)

    def shutdown_timeout(self) -> float:
        """Return the seconds until its power is cut: as for a boot, where software emulates its processor."""
        seconds = super().shutdown_timeout()
        return max(seconds, self.boot_timeout) if self._accel() == "tcg" else seconds

    def _accel(self) -> str:
        return accel.choose(accel.detect()) if self.settings.accel == "auto" else self.settings.accel

    def _pid(self) -> int:
        """The pid of the machine's qemu, 0 when it does not run."""
        pid = process.find(self.ctx.directory, self.uuid, self.ctx.run)
        self._last_pid = pid or self._last_pid
        return pid

    def _file(self, name: str) -> str:
        return os.path.join(self.ctx.directory, name)

    def _socket(self, name: str) -> str:
        return os.path.join(self.sockets, name)
