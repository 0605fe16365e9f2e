"""Driver virtualbox: what to make, in which order, and what each state means. The rest is in the files beside it.

A machine is known to VirtualBox by a UUID that follows from its machine id and is written down before the first call,
so that whatever a create has left can be found. One that docker-machine made is known by its name.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import uuid
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Self

from machine import lock
from machine.drivers.base import Driver, DriverContext, Traits
from machine.drivers.images import clone_identity, console, image_spec, nat, seed
from machine.drivers.images.cache import Cache, classify
from machine.drivers.virtualbox import (
    change,
    client,
    clone,
    config,
    errors,
    hardware,
    hostonly,
    media,
    network,
    parse,
    preflight,
    shares,
)
from machine.drivers.virtualbox.options import OPTIONS
from machine.drivers.virtualbox.snapshots import VBoxSnapshots
from machine.errors import DriverError, InProgress, PreflightFailed
from machine.model import Endpoint, State, Verb
from machine.options import Values
from machine.process import Completed

_NAMESPACE = uuid.UUID("0f3d6f3c-57a1-4f6c-8d7a-9f6c6c1f1b5e")  # of the uuids made from machine ids
ADDRESS = "/Machine/Address"  # guest property: the address that a machine of ours has, whatever store it is in
STATES = {
    "running": State.RUNNING,
    "paused": State.PAUSED,
    "saved": State.SAVED,
    "aborted-saved": State.SAVED,
    "poweroff": State.STOPPED,
    "aborted": State.STOPPED,
    "starting": State.STARTING,
    "restoring": State.STARTING,
    "stopping": State.STOPPING,
    "saving": State.STOPPING,
    "gurumeditation": State.ERROR,
}
ALIVE = (State.RUNNING, State.PAUSED, State.STARTING, State.STOPPING, State.ERROR)


class VirtualBoxDriver(Driver):
    """A virtual machine of this host's VirtualBox."""

    traits: ClassVar[Traits] = Traits(
        name="virtualbox",
        options=OPTIONS,
        summary="a VirtualBox machine on this host",
        needs="VirtualBox (VBoxManage)",
        can_power=True,
        shares_home=sys.platform != "win32",  # where nothing of ours serves files
        behind_nat=True,
        host_gateway=nat.GATEWAY,
    )
    platform: str = sys.platform

    def __init__(self, ctx: DriverContext, wanted: config.Settings, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data  # what was found out, and keys that are not ours
        self.host_key = ("", "")
        self.uuid = str(uuid.uuid5(_NAMESPACE, ctx.machine_id))
        self._use(wanted)

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, config.from_values(values), {"UUID": ""})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        clone.recorded(data)
        return cls(ctx, config.load(data), dict(data))

    def _use(self, wanted: config.Settings) -> None:
        self.settings = wanted
        self.boot_timeout = float(wanted.boot_timeout)
        self.plan = network.parse(wanted.cidr)
        program = client.program(wanted.program, wanted.install_path, self.platform)
        self.vbox = client.VBox(program, self.ctx.name, self._run)

    def clone_from(self, source: Driver, tag: str, typed: Collection[str]) -> None:
        """Take over what the machine of `source` is, to be made of its snapshot `tag`."""
        if not isinstance(source, VirtualBoxDriver):
            raise TypeError("the lifecycle has seen to it that the driver is the same")
        self.data.update(clone.record(source.ctx.name, source.settings, source.data, source.uuid, tag))
        self._use(clone.settings(source.settings, self.settings, typed))

    def dump(self) -> dict[str, Any]:
        return {**self.data, **config.dump(self.settings)}

    def give_host_key(self, private: str, public: str) -> bool:
        """Take the ssh host key that the machine shall show; False for boot2docker, which makes its own."""
        self.host_key = (private, public)
        return not self.settings.boot2docker

    def key_path(self) -> str | None:
        """The key of an imported boot2docker VM; None for a key of the machine's own."""
        return os.path.expanduser("~/.ssh/id_boot2docker") if self.settings.imported else None

    def check(self) -> None:
        preflight.check(self.ctx, self.vbox, self.settings, self.uuid, clone=bool(clone.recorded(self.data)))
        if self.settings.boot2docker and self.settings.no_dhcp:
            raise PreflightFailed(
                "a boot2docker machine gets its address of the DHCP server, and --virtualbox-hostonly-no-dhcp has none",
                resolution="leave --virtualbox-hostonly-no-dhcp or --virtualbox-boot2docker-url out",
            )
        if self.settings.boot2docker and self._nets():
            raise PreflightFailed(
                "the address of a boot2docker machine cannot be found out here: VirtualBox 7 leaves DHCP to macOS",
                resolution="leave --virtualbox-boot2docker-url out: other machines have fixed addresses",
            )

    def create(self) -> None:
        """UUID, machine, network, disk, seed, hardware, power; what an earlier call has done is skipped."""
        self.data["UUID"] = self.uuid
        self.ctx.save(self)
        info = self.vbox.info(self.uuid)
        if info is None:
            shutil.rmtree(os.path.join(self.ctx.directory, self.ctx.name), ignore_errors=True)
            self.vbox.create(self.ctx.name, self.uuid, self.ctx.directory, hardware.is_arm64())
            info = self.vbox.info(self.uuid) or {}
        if STATES.get(info.get("VMState", "")) in ALIVE:
            return
        self._settle()
        self._media()
        hardware.configure_hardware(self.vbox, self.uuid, info, self._wanted())
        self.vbox.start(self.uuid, self.settings.interface)

    def state(self) -> State:
        info = self.vbox.info(self._vm())
        if info is None:
            return State.MISSING
        return STATES.get(info.get("VMState", ""), State.RUNNING)

    def endpoint(self) -> Endpoint | None:
        """By its host-only address: fixed for our images, asked of the DHCP server for boot2docker."""
        known = str(self.data.get("IPAddress") or "")
        address = (self._leased() or known) if self._asks_dhcp() else known
        return Endpoint(address=address, ssh_user=self.settings.user) if address else None

    def power(self, verb: Verb) -> None:
        state = self.state()
        if state is State.MISSING:
            raise DriverError(
                f"VirtualBox does not know {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} forgets it; machine create makes it again",
            )
        if verb is Verb.START:
            self._start(state)
        elif verb is Verb.RESTART and state in ALIVE:
            self.vbox.control(self._vm(), "reset")
        elif verb is Verb.RESTART:
            self._start(state)
        elif state in ALIVE:
            if verb is Verb.STOP and state is State.PAUSED:
                self.vbox.control(self._vm(), "resume")
            self.vbox.control(self._vm(), "acpipowerbutton" if verb is Verb.STOP else "poweroff")
        elif verb is Verb.KILL and state is State.SAVED:
            self.vbox.discard(self._vm())

    def suspend(self) -> None:
        """Save the memory of the running machine and switch it off. Raises DriverError if VirtualBox refuses."""
        self.vbox.control(self._vm(), "savestate")

    def snapshots(self) -> VBoxSnapshots:
        """Return the machine's snapshots, which VirtualBox keeps."""
        return VBoxSnapshots(self.vbox, self._vm(), tuple(self.current_values()), self._record_found)

    def _record_found(self) -> None:
        self.settings = change.as_found(self.vbox, self._vm(), self.settings)
        self.ctx.save(self)

    def current_values(self) -> Values:
        return change.values_of(self.settings)

    def change(self, values: Values) -> None:
        self.settings = change.changed(self.ctx, self.vbox, self._vm(), self.settings, values)

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        if self.state() is not State.STOPPED:
            return ()
        return change.apply_off(self.vbox, self._vm(), self.settings, self.ctx.directory, names)

    def wanted_disk(self) -> int:
        return self.settings.disk

    def remove(self) -> None:
        """The machine with its disks; then what was never attached; the shared host-only network stays."""
        vm = self._vm()
        info = self.vbox.info(vm)
        if info is not None:
            state = STATES.get(info.get("VMState", ""))
            if state in ALIVE:
                self.vbox.control(vm, "poweroff")
            elif state is State.SAVED:
                self.vbox.discard(vm)
            try:
                self.vbox.unregister(vm)
            except (errors.InUse, errors.WrongState) as error:
                raise InProgress(
                    f"VirtualBox still holds {self.ctx.name}", details=error.details, resolution=error.resolution
                ) from error
        media.remove(self.vbox, self.ctx.directory)
        shutil.rmtree(self._file(self.ctx.name), ignore_errors=True)
        hostonly.undo(self.vbox, self.data)

    def console_log(self) -> str:
        """What the machine printed on its serial port since it was last switched on."""
        return console.read(self._file(media.CONSOLE))

    def explain(self) -> str:
        """Why a machine may be unreachable."""
        printed = console.diagnose(self.console_log())
        if printed:
            return printed
        if self.state() is State.ERROR:
            return "VirtualBox has stopped it (guru meditation); VBox.log in the machine's directory says why"
        wanted = str(self.plan.host)
        if not self._nets() and not any(block.get("IPAddress") == wanted for block in self.vbox.interfaces()):
            return f"no host-only interface of this host has the address {wanted} any more: stop and start the machine"
        if self._asks_dhcp() and not self._leased():
            return "the DHCP server of its host-only network has given it no address"
        return ""

    def _asks_dhcp(self) -> bool:
        """boot2docker does; docker-machine had no other machines."""
        return bool(self.settings.boot2docker) or "UUID" not in self.data

    def _leased(self) -> str:
        """What the DHCP server has given to the host-only card; docker-machine has kept neither card nor network."""
        card, net = network.mac(self.ctx.machine_id, 2), str(self.data.get("HostOnlyNetwork") or "")
        if "UUID" not in self.data:
            info = self.vbox.info(self._vm()) or {}
            card, net = info.get("macaddress2", ""), info.get("hostonlyadapter2", "")
        return self.vbox.lease(net, card) if card and net else ""

    def _vm(self) -> str:
        """How VirtualBox knows the machine: by our UUID, or by its name when docker-machine made it."""
        return self.uuid if "UUID" in self.data else self.ctx.name

    def _settle(self) -> None:
        """The network, an address on it and a port of this host, written down; two creates do not choose the same."""
        with self._lock("virtualbox"):
            self._join()
            if not self.settings.boot2docker and not self.data.get("IPAddress"):
                taken = {str(other.get("IPAddress") or "") for other in self.ctx.siblings()}
                taken |= {self.vbox.get_property(vm, ADDRESS) for vm in self.vbox.machines() if vm != self.uuid}
                self.data["IPAddress"] = network.choose(self.plan, taken, self.ctx.store)
                self.vbox.set_property(self.uuid, ADDRESS, self.data["IPAddress"])
            self.ctx.save(self)

    def _join(self) -> None:
        """The host-only network as planned, and a free port for the way in through the NAT."""
        self.data["HostOnlyNetwork"] = self._network()
        port = int(self.data.get("NATPort") or 0)
        if not port or not _free(port):
            self.data["NATPort"] = _free_port()

    def _network(self) -> str:
        """The name of the host-only network; a restart of the host may have taken its address away."""
        dhcp, nets = not self.settings.no_dhcp, self._nets()
        return hostonly.ensure(self.vbox, self.plan, self.data, lambda: self.ctx.save(self), dhcp=dhcp, nets=nets)

    def _start(self, state: State) -> None:
        if state is State.PAUSED:
            self.vbox.control(self._vm(), "resume")
        if state in ALIVE:
            return
        with self._lock("virtualbox"):
            if "UUID" in self.data and state is State.STOPPED:
                self._join()
                info = self.vbox.info(self.uuid) or {}
                hardware.network(self.vbox, self.uuid, info, self._wanted())
            else:
                self._network()
            self.ctx.save(self)
        self.vbox.start(self._vm(), self.settings.interface)

    def _media(self) -> None:
        own = self.ctx.directory
        if self.settings.boot2docker:
            media.iso(self.settings.boot2docker, self.ctx.store, own, self.ctx.log)
            if self.settings.imported:
                media.imported(self.vbox, self.settings.imported, own)
                return
            media.for_boot2docker(self.vbox, self.ctx.public_key, own)
        else:
            if os.path.exists(self._file(media.DISK)):
                pass
            elif of := clone.recorded(self.data):
                clone.make_disk(self.ctx, self.vbox, of, self.settings.disk)
            else:
                path, kind = self._image()
                media.from_image(self.vbox, path, kind, own)
            self._write_seed()
        media.grow(self.vbox, own, self.settings.disk)

    def _image(self) -> tuple[str, str]:
        """(path, format) of the image. Debian's is the one with drivers for this hardware."""
        word = self.settings.image
        if classify(word, self.traits.name) == "name" and not image_spec.bootable(word):
            word += image_spec.GENERIC
        cache = Cache(self.ctx.store, run=self.ctx.run, log=self.ctx.log, driver_name=self.traits.name)
        found = cache.obtain(word, "arm64" if hardware.is_arm64() else "amd64", self.settings.mirror)
        return cache.path(found.disk), found.format

    def _write_seed(self) -> None:
        share = shares.wanted(self.settings)
        unit = shares.mount_unit(share[1]) if share else None
        wanted = seed.Seed(
            name=self.ctx.name,
            machine_id=self.ctx.machine_id,
            user=self.settings.user,
            public_key=self.ctx.public_key,
            host_key=self.host_key,
            nat_mac=network.mac(self.ctx.machine_id, 1),
            peer=str(self.data["IPAddress"]),
            lan_mac=network.mac(self.ctx.machine_id, 2),
            lan_bits=self.plan.bits,
            install_port_reporter=False,
            nat_static=False,
            files=((f"/etc/systemd/system/{unit[0]}", "0644", unit[1]),) if unit else (),
            units=(unit[0],) if unit else (),
            early=clone_identity.first_boot(self.uuid) if clone.recorded(self.data) else (),
            user_data=self.ctx.user_data,
        )
        seed.write(self._file(media.SEED), wanted)

    def _wanted(self) -> hardware.HardwareSpec:
        return hardware.HardwareSpec(
            settings=self.settings,
            directory=self.ctx.directory,
            macs=(network.mac(self.ctx.machine_id, 1), network.mac(self.ctx.machine_id, 2)),
            network=str(self.data["HostOnlyNetwork"]),
            nets=self._nets(),
            nat_port=int(self.data["NATPort"]),
        )

    def _nets(self) -> bool:
        """Whether this VirtualBox has host-only networks in place of interfaces."""
        return self.platform == "darwin" and parse.version(self.vbox.version()) >= (7, 0, 0)

    def _run(self, argv: list[str], **how: Any) -> Completed:
        """One call at a time: VirtualBox's own server does not like two. Copying a disk does not need it."""
        if argv[1:2] == ["convertfromraw"]:
            return self.ctx.run(argv, **how)
        with self._lock("virtualbox-call"):
            return self.ctx.run(argv, **how)

    def _lock(self, name: str) -> AbstractContextManager[None]:
        """Machines, networks and addresses are VirtualBox's, which the user has once: all stores share these locks."""
        return lock.hold(lock.of_user(name), what=name, say=self.ctx.log)

    def _file(self, name: str) -> str:
        return os.path.join(self.ctx.directory, name)


def _free(port: int) -> bool:
    with socket.socket() as server:
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
