"""Makes a template: boots a virtual machine that is nobody's, lets it set Docker up, and saves it with its memory."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from machine import files
from machine.drivers.images import disks, seed, template_unit
from machine.drivers.images.templates import PACKERS, Template, Templates, installed_packer, now
from machine.drivers.qemu import abandoned, argv, memory, paths, process, shape, vm
from machine.drivers.qemu.guest_port import GuestPort
from machine.drivers.qemu.qmp import Client
from machine.errors import CommandFailed, DriverError
from machine.process import Completed
from machine.wait import Clock

MIGRATE_SECONDS = 120.0
END_SECONDS = 60.0  # for qemu to end by itself
_NAMESPACE = uuid.UUID("0e2f6a4c-6d0b-4d53-9a53-5d6b2b1f5a10")  # of the uuids made from keys


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """What a template shall be of. `base` is the path of the image's disk as machines name it, absolute."""

    key: str
    machine: argv.Machine  # one that will start from it
    image: str
    base: str
    base_format: str
    user: str
    megabytes: int
    seconds: float


def make(
    templates: Templates, spec: TemplateSpec, run: Callable[..., Completed], clock: Clock, log: Callable[[str], None]
) -> Template:
    """Make the template, for the holder of its lock, in the time of a boot. Raises DriverError if it cannot be made."""
    remove_unfinished(templates, spec.key, run, clock)
    log(f"making a template of this kind of machine, from which later ones start in seconds ({spec.image})")
    work = templates.work_directory(spec.key)
    files.need_directory(work)
    name = templates.new_name(spec.key)
    template = Template(
        key=spec.key,
        image=spec.image,
        disk=f"{name}.qcow2",
        memory=f"{name}.memory",
        packed=installed_packer(),
        base=_seen_from(templates.directory, spec.base),
        base_format=spec.base_format,
        megabytes=spec.megabytes,
        made=now(),
    )
    try:
        _boot_and_save(templates, spec, template, work, run)
        _wait_for_end(work, clock)
        _move_disk(os.path.join(work, paths.DISK), templates.path(template.disk), template, run)
        templates.keep(template)
    except BaseException:
        for part in (template.disk, template.memory):
            disks.remove(templates.path(part))
        raise
    finally:
        _remove(work, spec.key, run, clock)
    return template


def remove_unfinished(templates: Templates, key: str, run: Callable[..., Completed], clock: Clock) -> None:
    """End what a make of this template that was cut short has left, and remove it; for the holder of its lock."""
    work = templates.work_directory(key)
    if os.path.isdir(work):
        _remove(work, key, run, clock)
    templates.remove_files(key)


def remove_all_unfinished(templates: Templates, run: Callable[..., Completed], clock: Clock) -> None:
    """End and remove every virtual machine that nobody makes a template of any more."""
    for key in templates.making():
        if not templates.is_made_now(key):
            with templates.lock(key):
                remove_unfinished(templates, key, run, clock)


def _remove(work: str, key: str, run: Callable[..., Completed], clock: Clock) -> None:
    abandoned.end_processes(work, run, clock)
    sockets = paths.runtime(work, _identity(key))
    if sockets != work:
        shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


def _identity(key: str) -> str:
    """The uuid of the machine that becomes this template: found again by who comes later."""
    return str(uuid.uuid5(_NAMESPACE, key))


def _seen_from(directory: str, base: str) -> str:
    """The path of an image beside the directory of templates, relative to it; that of another as it is."""
    images = os.path.dirname(directory)
    return os.path.join("..", os.path.basename(base)) if os.path.dirname(base) == images else base


def _boot_and_save(
    templates: Templates, spec: TemplateSpec, template: Template, work: str, run: Callable[..., Completed]
) -> None:
    """Boot the machine in `work`, wait until it is ready to be copied, and save its memory; its qemu ends then."""
    identity = _identity(spec.key)
    sockets = paths.runtime(work, identity)
    machine = shape.of_template(spec.machine, work, sockets, identity)
    vm.make_overlay(os.path.join(work, paths.DISK), spec.base, spec.base_format, spec.megabytes, run)
    seed.write(os.path.join(work, paths.SEED), _seed(spec, identity))
    vm.launch(machine, run)
    with GuestPort(os.path.join(sockets, paths.GUEST), "the template") as port:
        said = port.wait("template", spec.seconds)
        if said["template"] != "ready":
            raise DriverError("the machine did not become a template", details=str(said.get("reason", ""))[:4000])
    _save(os.path.join(sockets, paths.QMP), templates.path(template.memory), template.packed)


def _wait_for_end(work: str, clock: Clock) -> None:
    """Wait until the qemu in `work` has ended by itself. Raises DriverError."""
    pid = process.recorded(os.path.join(work, paths.PID))
    if pid and not process.wait_gone([pid], clock, END_SECONDS):
        raise DriverError(f"the qemu of the template (process {pid}) did not end")


def _move_disk(disk: str, target: str, template: Template, run: Callable[..., Completed]) -> None:
    """Move the disk to the templates, from where its base is reached by another path."""
    words = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", template.base_format, "-b", template.base, disk]
    try:
        run(words, timeout=60)
    except CommandFailed as error:
        raise DriverError(f"the disk {disk} could not be moved", details=error.details) from error
    os.replace(disk, target)


def _seed(spec: TemplateSpec, identity: str) -> seed.Seed:
    """No key of anybody: neither a host key nor one that may log in."""
    return seed.Seed(
        name="template",
        machine_id=identity,
        user=spec.user,
        public_key="",
        host_key=("", ""),
        nat_mac=shape.NAT_MAC,
        peer="",
        lan_mac="",
        install_port_reporter=False,  # it is in every image of which templates are made
        files=template_unit.FILES,
        commands=(template_unit.COMMAND,),
    )


def _save(socket_path: str, path: str, packer: str) -> None:
    """Stop the machine and save its memory and devices, packed, in a file of this user's alone."""
    os.close(disks.private(path))
    pack, _ = PACKERS[packer]
    with Client(socket_path, 30.0) as client:
        client.command("stop")
        memory.save(client, pack, path, MIGRATE_SECONDS)
        client.command("quit")
