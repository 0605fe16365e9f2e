"""Makes a template: boots a virtual machine that is nobody's, lets it set Docker up, and saves it with its memory."""

from __future__ import annotations

import os
import shlex
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from machine import files
from machine.drivers.images import disks, seed, template_unit
from machine.drivers.images.templates import Template, Templates, now
from machine.drivers.qemu import abandoned, argv, paths, shape, vm
from machine.drivers.qemu.guest_port import GuestPort
from machine.drivers.qemu.qmp import Client
from machine.errors import CommandFailed, DriverError
from machine.process import Completed
from machine.wait import Clock

MIGRATE_SECONDS = 120.0
PACKERS = {"zstd": "-q -1 -T0", "gzip": "-1"}  # program -> its arguments; the first that is there packs


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a template shall be of. `base` is the path of the image's disk as machines name it, absolute."""

    key: str
    machine: argv.Machine  # one that will start from it
    image: str
    base: str
    base_format: str
    up_to_date: bool  # the image has today's port reporter
    user: str
    megabytes: int
    install_script: str
    seconds: float


def make(
    templates: Templates, wanted: Wanted, run: Callable[..., Completed], clock: Clock, log: Callable[[str], None]
) -> Template:
    """Make the template, for the holder of its lock, in the time of a boot. Raises DriverError if it cannot be made."""
    remove_unfinished(templates, wanted.key, run, clock)
    log(f"making a template of this kind of machine, from which later ones start in seconds ({wanted.image})")
    work = templates.work_directory(wanted.key)
    files.need_directory(work)
    name = templates.new_name(wanted.key)
    template = Template(
        key=wanted.key,
        image=wanted.image,
        disk=f"{name}.qcow2",
        memory=f"{name}.memory",
        packed=next((program for program in PACKERS if shutil.which(program)), ""),
        base=_seen_from(templates.directory, wanted.base),
        base_format=wanted.base_format,
        megabytes=wanted.megabytes,
        made=now(),
    )
    if not template.packed:
        raise DriverError("neither zstd nor gzip is installed", resolution="sudo apt-get install zstd")
    try:
        _boot_and_save(templates, wanted, template, work, run)
        abandoned.end_processes(work, run, clock)
        _move_disk(os.path.join(work, paths.DISK), templates.path(template.disk), template, run)
        templates.keep(template)
    except BaseException:
        for part in (template.disk, template.memory):
            disks.remove(templates.path(part))
        raise
    finally:
        _remove(work, run, clock)
    return template


def remove_unfinished(templates: Templates, key: str, run: Callable[..., Completed], clock: Clock) -> None:
    """End what a make of this template that was cut short has left, and remove it; for the holder of its lock."""
    work = templates.work_directory(key)
    if os.path.isdir(work):
        _remove(work, run, clock)


def remove_all_unfinished(templates: Templates, run: Callable[..., Completed], clock: Clock) -> None:
    """End and remove every virtual machine that nobody makes a template of any more."""
    for key, _ in templates.making():
        if not templates.is_made_now(key):
            with templates.lock(key):
                remove_unfinished(templates, key, run, clock)


def _remove(work: str, run: Callable[..., Completed], clock: Clock) -> None:
    abandoned.end_processes(work, run, clock)
    shutil.rmtree(work, ignore_errors=True)


def _seen_from(directory: str, base: str) -> str:
    """The path of an image beside the directory of templates, relative to it; that of another as it is."""
    images = os.path.dirname(directory)
    return os.path.join("..", os.path.basename(base)) if os.path.dirname(base) == images else base


def _boot_and_save(
    templates: Templates, wanted: Wanted, template: Template, work: str, run: Callable[..., Completed]
) -> None:
    """Boot the machine in `work`, wait until it is ready to be copied, and save its memory; its qemu ends then."""
    identity = str(uuid.uuid4())
    sockets = paths.runtime(work, identity)
    machine = shape.of_template(wanted.machine, work, sockets, identity)
    vm.make_overlay(os.path.join(work, paths.DISK), wanted.base, wanted.base_format, wanted.megabytes, run)
    seed.write(os.path.join(work, paths.SEED), _seed(wanted, identity))
    vm.launch(machine, run)
    with GuestPort(os.path.join(sockets, paths.GUEST), "the template") as port:
        said = port.wait("template", wanted.seconds)
        if said["template"] != "ready":
            raise DriverError("the machine did not become a template", details=str(said.get("reason", ""))[:4000])
    _save(os.path.join(sockets, paths.QMP), templates.path(template.memory), template.packed)


def _move_disk(disk: str, target: str, template: Template, run: Callable[..., Completed]) -> None:
    """Move the disk to the templates, from where its base is reached by another path."""
    words = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", template.base_format, "-b", template.base, disk]
    try:
        run(words, timeout=60)
    except CommandFailed as error:
        raise DriverError(f"the disk {disk} could not be moved", details=error.details) from error
    os.replace(disk, target)


def _seed(wanted: Wanted, identity: str) -> seed.Seed:
    """No key of anybody: neither a host key nor one that may log in."""
    return seed.Seed(
        name="template",
        machine_id=identity,
        user=wanted.user,
        public_key="",
        host_key=("", ""),
        nat_mac=shape.NAT_MAC,
        peer="",
        lan_mac="",
        install_port_reporter=not wanted.up_to_date,
        files=template_unit.files(wanted.install_script),
        commands=(template_unit.COMMAND,),
    )


def _save(socket_path: str, memory: str, packer: str) -> None:
    """Stop the machine and save its memory and devices, packed, in a file of this user's alone."""
    os.close(disks.private(memory))
    with Client(socket_path, 30.0) as client:
        client.command("stop")
        client.migrate("migrate", f"exec:{packer} {PACKERS[packer]} >{shlex.quote(memory)}", MIGRATE_SECONDS)
        client.command("quit")
