"""Driver qemu: what to make, in which order, and what each state means. The rest is in the files beside it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from machine import background
from machine.drivers import record_keys
from machine.drivers.base import Driver, DriverContext, Traits, preflight_errors
from machine.drivers.images import clone_identity, clone_source, console, disks, image_usage, nat, seed
from machine.drivers.images.cache import Image
from machine.drivers.qemu import (
    abandoned,
    accel,
    assignment,
    change,
    clone,
    config,
    diagnosis,
    hardware,
    net,
    paths,
    preflight,
    process,
    vm,
)
from machine.drivers.qemu.identity import Identity
from machine.drivers.qemu.instance import Instance
from machine.drivers.qemu.options import OPTIONS
from machine.drivers.qemu.qmp import Client
from machine.drivers.qemu.snapshots import QemuSnapshots
from machine.drivers.qemu.suspension import Suspension
from machine.errors import DriverError, MachineError
from machine.hostport import ENGINE_PORT
from machine.model import Endpoint, State, Verb
from machine.options import Values
from machine.wait import Clock

QMP_STATES = {
    "running": State.RUNNING,
    "paused": State.PAUSED,
    "postmigrate": State.PAUSED,
    "suspended": State.SAVED,
    "prelaunch": State.STARTING,
    "inmigrate": State.STARTING,
    "shutdown": State.STOPPING,
}
GOES_ON_WHEN_TOLD = ("paused", "prelaunch", "postmigrate", "suspended", "io-error")  # states in qemu's words


class QemuDriver(Driver):
    """A virtual machine of this host."""

    traits: ClassVar[Traits] = Traits(
        name="qemu",
        options=OPTIONS,
        summary="a virtual machine on this host, without root",
        needs="the programs qemu-system and qemu-img",
        can_power=True,
        behind_nat=True,
        shares_home=True,
        host_gateway=nat.GATEWAY,
    )

    def __init__(self, ctx: DriverContext, wanted: config.Settings, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.settings = wanted
        self.data = data  # what was found out: addresses, ports, base image; and keys of a newer version
        self.boot_timeout = float(wanted.boot_timeout)
        self.host_key = ("", "")
        self._suspension = Suspension(ctx, data)
        self._template_failed = False  # it boots then, as without one
        self._instance = Instance(self)
        self._images, self.uuid, self.sockets = self._instance.images, self._instance.uuid, self._instance.sockets

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, config.from_values(values), {})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        clone_source.recorded(data)
        if data.get(record_keys.BASE):
            Image.of(data[record_keys.BASE])
        return cls(ctx, config.load(data), dict(data))

    def dump(self) -> dict[str, Any]:
        return {**self.data, **config.dump(self.settings)}

    def give_host_key(self, private: str, public: str) -> None:
        """Take the ssh host key that the machine shall show."""
        self.host_key = (private, public)

    def check(self) -> None:
        host = accel.detect()
        cached = self._is_clone() or self._images.cache.find(self.settings.image, host.arch) is not None
        preflight.check(self.ctx, self.settings, host, cached)
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
        if self._instance.pid():
            self._instance.start_forwarder(self._instance.machine())  # a crash may have come in between
            return
        image = self._images.obtain(self, self.settings)
        assignment.assign(self, self.data, self.settings.publish)
        self._write_seed(image)
        if os.path.exists(self._instance.file(paths.DISK)) or not self._start_from_template(image):
            self._make_disk(image)
            self._instance.power_on()

    def state(self) -> State:
        """Running only while this machine's own qemu lives; what qemu itself says decides the rest."""
        if self._suspension.exists():
            return State.SAVED
        if not self._instance.pid():
            if self._instance.is_ending():
                return State.STOPPING
            return State.STOPPED if os.path.exists(self._instance.file(paths.DISK)) else State.MISSING
        if self._instance.warm_start().is_restoring():
            return State.STARTING
        status = vm.status(self._instance.socket(paths.QMP))
        return QMP_STATES.get(status, State.ERROR) if status else State.RUNNING

    def endpoint(self) -> Endpoint | None:
        if not self.data.get("IPAddress"):
            return None
        place = self._instance.place()
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
            if self._instance.pid():
                vm.command(self._instance.socket(paths.QMP), "system_powerdown")
        elif verb is Verb.RESTART and self._instance.pid():
            vm.command(self._instance.socket(paths.QMP), "system_reset")
        elif verb is Verb.RESTART:
            self._start()
        else:
            self._instance.kill()
            self._suspension.discard()

    def suspend(self) -> None:
        """Save the memory of the running machine and switch it off. Raises DriverError if it cannot be saved."""
        instead = f"machine stop {self.ctx.name} shuts it down"
        self._instance.check_memory_savable(instead)
        try:
            self._suspension.save(self, self._instance.machine())
        except DriverError as error:
            error.resolution = f"{error.resolution}; or: {instead}" if error.resolution else instead
            raise

    def clone_from(self, source: Driver, tag: str, typed: Collection[str]) -> None:
        """Take over what the machine of `source` is, to be made of its snapshot `tag`."""
        if not isinstance(source, QemuDriver):
            raise TypeError("the lifecycle has seen to it that the driver is the same")
        if tag:
            clone.check_size(source.ctx, tag)
        self.settings = clone.settings(source.settings, self.settings, typed)
        self.boot_timeout = float(self.settings.boot_timeout)
        self.data.update(clone.record(source.ctx.name, source.data, tag))

    def snapshots(self) -> QemuSnapshots:
        """Return the machine's snapshots, which are in its disk."""
        return QemuSnapshots(self, self.data, self._instance, self._record_restored)

    def _record_restored(self, disk: int, memory: int = 0, cpus: int = 0) -> None:
        self.settings = hardware.restored(self.settings, disk, memory, cpus)
        self.ctx.save(self)

    def remove(self) -> None:
        """The process first; then the files, the disk last, so that a repeated call still knows what to look for.

        Raises InProgress while the process is ending.
        """
        self._instance.end()
        image_usage.forget(self._images.cache.directory, self.ctx.directory)
        self._instance.warm_start().release()
        for name in (*paths.SOCKETS, *paths.FILES):
            for directory in {self.ctx.directory, self._instance.sockets}:
                disks.remove(os.path.join(directory, name))
        if self._instance.sockets != self.ctx.directory:
            paths.remove(self._instance.sockets, self.ctx.name)

    def disk_megabytes(self) -> tuple[int, int]:
        """Of the disk, and of the image under it; both the disk's where the image is not there to be asked."""
        try:
            base = os.path.join(self.ctx.directory, self._images.seen_from_machine(self._images.recorded()))
            return self.settings.disk, disks.inspect(base).size >> 20
        except (DriverError, TypeError):
            return self.settings.disk, self.settings.disk

    def current_values(self) -> Values:
        return change.values_of(self.settings)

    def change(self, values: Values) -> None:
        self.settings = change.changed(self.ctx, self.settings, values, self._instance.place())

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        if self._instance.warm_start().is_restoring() or self._suspension.exists():
            return ()
        if self._instance.pid():
            return change.apply_running(self._instance.machine(), self.settings.disk, names)
        check = self._instance.check_disk
        return change.apply_off(self._instance.machine(), self.settings.disk, names, check, self.ctx.run)

    def wanted_disk(self) -> int:
        return self.settings.disk

    @classmethod
    def end_processes(cls, directory: str, run: process.Run, clock: Clock) -> Sequence[str]:
        """End the qemu and the forwarder that are proven to be of the machine in `directory`; what was ended."""
        return abandoned.end_processes(directory, run, clock)

    def restart_forwarder(self) -> bool:
        """Start the forwarder again if it is not there although the machine runs."""
        return self._instance.restart_forwarder()

    def console_log(self) -> str:
        """What the machine printed on its serial console since it was last switched on."""
        return console.read(self._instance.file(paths.CONSOLE))

    def explain(self) -> str:
        """Why a machine may be slow, unreachable or gone."""
        printed = console.diagnose(self.console_log())
        if printed:
            return printed
        state = self.state()
        stopped = vm.status(self._instance.socket(paths.QMP)) if state is State.ERROR else ""
        return diagnosis.explain(state, stopped, self._instance.accel(), self._instance.file(paths.CONSOLE))

    def _start(self) -> None:
        self._instance.warm_start().check_finished()
        saved = self._suspension.exists()
        if self._instance.pid() and not saved:
            self._suspension.discard()
            self._resume()
            return
        if saved:  # what runs now, if anything, has not gone on since
            self._instance.end()
        if not os.path.exists(self._instance.file(paths.DISK)):
            raise DriverError(
                f"the disk of {self.ctx.name} is gone",
                resolution=f"machine rm {self.ctx.name} removes what is left; machine create makes it again",
            )
        self._instance.check_ports()
        if saved:
            self._restore_saved()
        else:
            self._instance.power_on()

    def _restore_saved(self) -> None:
        """Start qemu with the machine's saved memory.

        Raises DriverError if that fails: the memory is on disk then as before, or all of it is in qemu, which waits.
        """
        machine = self._suspension.as_saved(self._instance.machine())
        self._instance.launch(machine, goes_on=True)
        background.expect(self._instance.file(paths.FORWARDER_LOCK))  # whoever is killed as soon as it runs
        try:
            with Client(self._instance.socket(paths.QMP), 30.0) as client:
                self._suspension.restore(client)
        except DriverError as error:
            name = self.ctx.name
            if self._suspension.exists():
                self._instance.kill()
                error.resolution = f"machine kill {name} gives the saved memory up; machine start {name} boots it then"
            else:
                error.resolution = f"machine start {name} tells it again to go on"
            raise
        self._instance.start_forwarder(machine)

    def _resume(self) -> None:
        """Let a machine go on that waits. One that is still being saved, by nobody any more, would stop at the end."""
        status = vm.status(self._instance.socket(paths.QMP))
        if status in GOES_ON_WHEN_TOLD:
            vm.command(self._instance.socket(paths.QMP), "migrate_cancel")
            vm.command(self._instance.socket(paths.QMP), "cont")
        if status == "prelaunch":  # a restore was cut short before it came to that
            self._instance.start_forwarder(self._instance.machine())

    def _start_from_template(self, image: Image) -> bool:
        """Start a machine that has no disk yet from a template; whether it runs, as a machine of its own."""
        if self._is_clone():
            return False
        self.data["Unrandomized"] = True  # for it gets today's port reporter, which is not in older machines
        start, waiting = self._instance.warm_start(), replace(self._instance.machine(), incoming=True)
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
            self._instance.launch(waiting)
            launched = True
            identity = Identity.of(self.ctx, waiting, self.settings.user, self.host_key)
            start.restore(found, self.sockets, identity)
        except (MachineError, OSError) as error:
            self._template_failed = True
            start.give_up(found, error, broken=launched)
            self._undo_restore()
            return False
        self._instance.start_forwarder(waiting)
        return True

    def _make_disk(self, image: Image) -> None:
        """Make the machine's disk, of its image or of another machine's snapshot, unless there is one."""
        disk = self._instance.file(paths.DISK)
        if os.path.exists(disk):
            return
        if of := clone_source.recorded(self.data):
            clone.make_disk(self, self.data, of, self._images, self.settings.disk)
            return
        vm.make_overlay(disk, self._images.seen_from_machine(image), image.format, self.settings.disk, self.ctx.run)

    def _is_clone(self) -> bool:
        return clone_source.recorded(self.data) is not None

    def _undo_restore(self) -> None:
        """Remove a machine that has not its own identity yet. Raises InProgress while its qemu is ending."""
        start = self._instance.warm_start()
        if not start.is_restoring():
            return
        self._instance.end()
        if self.data.get(record_keys.TEMPLATE_DISK):
            self.data[record_keys.TEMPLATE_DISK] = ""
            self.ctx.save(self)
        start.remove_disk()

    def _write_seed(self, image: Image) -> None:
        wanted = seed.Seed(
            name=self.ctx.name,
            machine_id=self.ctx.machine_id,
            user=self.settings.user,
            public_key=self.ctx.public_key,
            host_key=self.host_key,
            nat_mac=net.nat_mac(self.ctx.machine_id),
            peer=self._instance.place().peer,
            lan_mac=net.lan_mac(self._instance.place().peer),
            install_port_reporter=not image.up_to_date,
            early=clone_identity.first_boot(self.uuid) if self._is_clone() else (),
            user_data=self.ctx.user_data,
        )
        seed.write(self._instance.file(paths.SEED), wanted)

    def host_gateway(self) -> str:
        """The gateway of its network, "" if it is kept from this host's loopback."""
        return super().host_gateway() if config.reaches_host(self.settings, self.ctx) else ""

    def shutdown_timeout(self) -> float:
        """Return the seconds until its power is cut: as for a boot, where software emulates its processor."""
        seconds = super().shutdown_timeout()
        return max(seconds, self.boot_timeout) if self._instance.accel() == "tcg" else seconds
