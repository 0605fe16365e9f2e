"""A machine that is made of another one's snapshot: its disk, with an identity of its own from the first boot on."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from machine.drivers import record_keys
from machine.drivers.base import Driver, DriverContext
from machine.drivers.images import clone_options, disks, image_usage, qcow2_snapshots
from machine.drivers.images.clone_source import CloneSource
from machine.drivers.images.templates import DIRECTORY as TEMPLATES
from machine.drivers.qemu import paths, vm
from machine.drivers.qemu.base_image import BaseImage
from machine.drivers.qemu.config import Settings
from machine.errors import CommandFailed, DriverError, UsageError

COPY_SECONDS = 1800.0  # for a large disk
CHANGEABLE = {  # option -> field of Settings: what a clone may have that its source has not
    "qemu-memory": "memory",
    "qemu-cpu-count": "cpus",
    "qemu-disk-size": "disk",
    "qemu-boot-timeout": "boot_timeout",
    "qemu-publish": "publish",
    "qemu-accel": "accel",
    "qemu-program": "program",
}


def settings(source: Settings, own: Settings, typed: Collection[str]) -> Settings:
    """Return what a clone of `source` shall be: as that, but for the options `typed`, whose values `own` has.

    Ports are not published twice, so those of the source are left out. Raises UsageError for an option that only a
    machine of an image can have, and for a disk smaller than the source's.
    """
    changed = clone_options.own_fields(own, typed, "qemu", CHANGEABLE)
    wanted = replace(source, **{"publish": (), **changed})
    clone_options.check_disk("qemu-disk-size", wanted.disk, source.disk)
    return wanted


def check_size(source: DriverContext, tag: str) -> None:
    """Raise UsageError if the disk of the source was larger at the snapshot than it is now.

    qemu-img copies a snapshot as far as the disk goes now, so the clone would have part of a file system.
    """
    disk = os.path.join(source.directory, paths.DISK)
    then, now = qcow2_snapshots.disk_size(disk, f"machine-{tag}"), disks.inspect(disk).size
    if then > now:
        raise UsageError(
            f"the disk of {source.name} was larger at {tag} ({then >> 20} MB) than it is now ({now >> 20} MB)",
            resolution=f"make it as large again: machine set --qemu-disk-size {then >> 20} {source.name}",
        )


def record(source_name: str, source: dict[str, Any], tag: str) -> dict[str, Any]:
    """Return what the record of a clone has of the record `source` and of the snapshot it is made of."""
    kept = {key: source[key] for key in (record_keys.BASE, record_keys.TEMPLATE_DISK, "Unrandomized") if key in source}
    return {**kept, **CloneSource(source_name, tag).to_record()}


def make_disk(driver: Driver, data: dict[str, Any], of: CloneSource, images: BaseImage, megabytes: int) -> None:
    """Copy the disk of the snapshot that `of` names, over the same base; under its name when it is whole.

    Raises DriverError if the source or the snapshot is gone, the source stands on another base meanwhile, or there is
    no room.
    """
    ctx = driver.ctx
    directory = os.path.join(os.path.dirname(ctx.directory), of.machine)
    source, disk = os.path.join(directory, paths.DISK), os.path.join(ctx.directory, paths.DISK)
    own_base, its_base = os.path.join(ctx.directory, paths.BASE), os.path.join(directory, paths.BASE)
    if images.path(images.recorded()) == its_base:  # a copy that was made for the source alone
        disks.copy(its_base, own_base)
        data[record_keys.BASE] = {**data[record_keys.BASE], "disk": own_base}
        ctx.save(driver)
    _note_use(ctx, data, images)
    below, below_format = images.seen_from_machine(images.recorded()), images.recorded().format
    template = data.get(record_keys.TEMPLATE_DISK)
    if template:
        below = os.path.relpath(os.path.join(images.cache.directory, TEMPLATES, template), ctx.directory)
        below_format = "qcow2"
    if os.path.exists(source):  # what is copied is what differs from the base: over another one it is nonsense
        vm.check_disk(source, its_base if below == own_base else below, below_format, plain=not template)
    part = f"{disk}.part"
    words = ["qemu-img", "convert", "-U", "-l", f"snapshot.name=machine-{of.tag}", "-O", "qcow2"]
    try:
        with ctx.lock(f"disk-{of.machine}"):
            ctx.run([*words, "-B", below, "-F", below_format, source, part], cwd=ctx.directory, timeout=COPY_SECONDS)
        ctx.run(["qemu-img", "resize", "-q", part, f"{megabytes}M"], timeout=60)
        os.replace(part, disk)
    except CommandFailed as error:
        disks.remove(part)
        raise DriverError(
            f"the disk of {of.machine} at {of.tag} could not be copied",
            details=error.details,
            resolution=f"machine snapshot ls {of.machine} shows its snapshots; look whether there is room",
        ) from error


def _note_use(ctx: DriverContext, data: dict[str, Any], images: BaseImage) -> None:
    """Note that image and template are needed, as long as this machine is there."""
    base = images.recorded().disk
    if not os.path.isabs(base):
        image_usage.note(images.cache.directory, ctx.directory, base)
    if template := data.get(record_keys.TEMPLATE_DISK):
        image_usage.note(os.path.join(images.cache.directory, TEMPLATES), ctx.directory, str(template))
