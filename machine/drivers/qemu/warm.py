"""A machine that starts from a template: the template is found or made, its memory restored, the identity given."""

from __future__ import annotations

import os

from machine import files
from machine.drivers.base import DriverContext
from machine.drivers.images import cache, disks, image_usage
from machine.drivers.images.templates import PACKERS, Template, Templates
from machine.drivers.qemu import argv, memory, paths, shape, template, vm
from machine.drivers.qemu.config import Settings
from machine.drivers.qemu.guest_port import GuestPort
from machine.drivers.qemu.identity import Identity
from machine.drivers.qemu.options import DEFAULT_DISK
from machine.drivers.qemu.qmp import Client
from machine.drivers.record_keys import TEMPLATE_DISK
from machine.errors import DriverError, MachineError, reason_of

IDENTITY_SECONDS = 60.0  # for a machine to become one of its own, on a busy computer


class WarmStart:
    """The start of one machine from a template of `images`, the directory of base images."""

    def __init__(self, ctx: DriverContext, settings: Settings, images: str) -> None:
        self.templates = Templates(
            images, ctx.log, lambda: {str(other.get(TEMPLATE_DISK) or "") for other in ctx.siblings()}
        )
        self._ctx, self._settings = ctx, settings
        self._disk = os.path.join(ctx.directory, paths.DISK)
        self._marker = os.path.join(ctx.directory, paths.RESTORING)

    def possible(self, image: cache.Image) -> bool:
        """Whether a template of the image can be.

        Only of an image that was built here: what is personal in another nobody knows, nor what of it is to stay. Not
        of one whose disk qemu cannot save; nor with commands for the first boot, which a template has behind it.
        """
        built_here = image.taught and bool(image.kernel) and image.root != cache.NVME
        wanted = self._settings.warm and built_here and not self._ctx.user_data.strip()
        if wanted and not image.up_to_date:
            self._ctx.log(
                f"{image.name} was built by another version of machine, so {self._ctx.name} boots instead of starting"
                f" from a template: machine image build {image.name} makes it anew, for later machines"
            )
        return wanted and image.up_to_date

    def find_or_make(self, image: cache.Image, base: str, machine: argv.Machine) -> Template | None:
        """Return the template to start `machine` from; None, with the reason in the log, if there is none to be had.

        It is noted as used by the machine before this returns. `base` is the path of the image's disk.
        """
        spec = self._spec(image, base, machine)
        try:
            files.need_directory(self.templates.directory)
            with self.templates.lock(spec.key):
                found = self.templates.find(spec.key) or self._make(spec)
                if found:
                    self.templates.note_start(found, self._ctx.directory)
        except (MachineError, OSError) as error:
            self._say(f"no template could be made of this kind of machine, so {self._ctx.name} boots", error)
            return None
        return found

    def _make(self, spec: template.TemplateSpec) -> Template | None:
        """Make the template; None where that failed a short while ago. Raises MachineError or OSError if it fails."""
        if reason := self.templates.failed(spec.key):
            self._ctx.log(
                f"no template could be made of this kind of machine a while ago, so {self._ctx.name} boots: {reason}"
            )
            return None
        self.templates.sweep()
        ctx = self._ctx
        try:
            if not files.only_ours(os.path.join(self.templates.directory, "")):
                raise DriverError(f"other users of this host could change files of {self.templates.directory}")
            return template.make(self.templates, spec, ctx.run, ctx.clock, ctx.log)
        except (MachineError, OSError) as error:
            self.templates.note_failure(spec.key, _reason(error))
            raise

    def make_disk(self, found: Template) -> None:
        """Make the machine's disk over that of the template."""
        vm.make_overlay(self._disk, self._below(found.disk), "qcow2", found.megabytes, self._ctx.run, plain=False)

    def begin(self) -> None:
        """Note that the machine has not its own identity yet."""
        files.write(self._marker, b"")

    def check_disk(self, template_disk: str, image: cache.Image) -> None:
        """Raise DriverError unless the machine's disk stands on the template's, and that on the image's."""
        image_usage.note(self.templates.directory, self._ctx.directory, template_disk)  # the store may have been moved
        below = self._below(template_disk)
        vm.check_disk(self._disk, below, "qcow2", plain=False)
        base = image.disk if os.path.isabs(image.disk) else os.path.join("..", image.disk)
        vm.check_disk(os.path.join(self._ctx.directory, below), base, image.format)

    def restore(self, found: Template, sockets: str, identity: Identity) -> None:
        """Restore the machine, whose qemu waits for it, and make it one of its own. Raises DriverError if it fails."""
        saved = self.templates.path(found.memory)
        with Client(os.path.join(sockets, paths.QMP), 30.0) as client:
            _, unpack = PACKERS[found.packed]
            memory.restore(client, unpack, saved, template.MIGRATE_SECONDS)
            grow = self._settings.disk > found.megabytes
            if grow:
                client.command("block_resize", device="disk", size=self._settings.disk << 20)
            with GuestPort(os.path.join(sockets, paths.GUEST), identity.name) as port:
                client.command("cont")
                port.say(identity.message(grow=grow))
                said = port.wait("identity", IDENTITY_SECONDS)
        if said["identity"] != "taken":
            raise DriverError(f"{identity.name} did not become a machine", details=str(said.get("reason", ""))[:4000])
        disks.remove(self._marker)

    def is_restoring(self) -> bool:
        """Whether the machine was to start from a template, and has not its own identity yet."""
        return os.path.exists(self._marker)

    def check_finished(self) -> None:
        """Raise DriverError if the machine has not its own identity yet."""
        if self.is_restoring():
            name = self._ctx.name
            raise DriverError(f"{name} was never finished", resolution=f"machine create --resume {name}")

    def remove_disk(self) -> None:
        """Remove the disk of a machine that did not get its own identity; its qemu has ended."""
        disks.remove(self._disk)
        disks.remove(self._marker)

    def give_up(self, found: Template, error: Exception, *, broken: bool) -> None:
        """Say why the machine does not start from a template, which is forgotten if that is `broken`.

        The next machine makes it anew.
        """
        self._say(f"{self._ctx.name} did not start from its template, so it boots", error)
        image_usage.forget(self.templates.directory, self._ctx.directory)
        if broken:
            with self.templates.lock(found.key):
                self.templates.forget(found.key, found.disk)

    def release(self) -> None:
        """Remove the note that the machine uses a template, and what makes that were cut short have left."""
        image_usage.forget(self.templates.directory, self._ctx.directory)
        try:
            template.remove_all_unfinished(self.templates, self._ctx.run, self._ctx.clock)
        except (MachineError, OSError) as error:  # somebody else's, perhaps
            self._ctx.log(f"what is left of a template that was not finished stays: {_reason(error)}")

    def _spec(self, image: cache.Image, base: str, machine: argv.Machine) -> template.TemplateSpec:
        settings = self._settings
        megabytes = min(settings.disk, DEFAULT_DISK)
        return template.TemplateSpec(
            key=shape.key(machine, settings.user, megabytes, base),
            machine=machine,
            image=image.name,
            base=base,
            base_format=image.format,
            user=settings.user,
            megabytes=megabytes,
            seconds=float(settings.boot_timeout),
        )

    def _below(self, template_disk: str) -> str:
        """The template's disk as the machine's disk names it: relative, so that a store can be moved."""
        return os.path.relpath(self.templates.path(template_disk), self._ctx.directory)

    def _say(self, brief: str, error: Exception) -> None:
        self._ctx.log(f"{brief}: {_reason(error)}")


def _reason(error: Exception) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, MachineError):
        return ": ".join([error.brief, *error.details.strip().splitlines()[-1:]])
    return reason_of(error)
