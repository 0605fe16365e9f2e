"""A machine that is made of another one's snapshot: its disk, with an identity of its own from the first boot on.

VirtualBox's service goes on copying when VBoxManage is killed. So the copy is known to it before the copying begins:
until that has ended, VirtualBox refuses to forget the disk, and neither `rm` nor a repetition takes it away under it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from machine.drivers.base import DriverContext
from machine.drivers.images import clone_options, clone_source, disks
from machine.drivers.images.clone_source import CloneSource
from machine.drivers.virtualbox import media, parse, snapshots
from machine.drivers.virtualbox.client import VBox
from machine.drivers.virtualbox.config import Settings
from machine.errors import DriverError, UsageError

CHANGEABLE = {  # option -> field of Settings: what a clone may have that its source has not
    "virtualbox-memory": "memory",
    "virtualbox-cpu-count": "cpus",
    "virtualbox-disk-size": "disk",
    "virtualbox-boot-timeout": "boot_timeout",
    "virtualbox-ui-type": "interface",
    "virtualbox-no-vtx-check": "no_vtx_check",
    "virtualbox-program": "program",
    "virtualbox-install-path": "install_path",
}


def settings(source: Settings, own: Settings, typed: Collection[str]) -> Settings:
    """Return what a clone of `source` shall be: as that, but for the options `typed`, whose values `own` has.

    Raises UsageError for an option that only a machine of an image can have, and for a disk smaller than the source's.
    """
    wanted = replace(source, **clone_options.own_fields(own, typed, "virtualbox", CHANGEABLE))
    clone_options.check_disk("virtualbox-disk-size", wanted.disk, source.disk)
    return wanted


def record(name: str, source: Settings, data: Mapping[str, Any], uuid: str, tag: str) -> dict[str, Any]:
    """Return what the record of a clone has of its source, which VirtualBox knows by `uuid`, and of the snapshot.

    Raises UsageError for a boot2docker machine, whose keys and certificates no seed replaces.
    """
    if source.boot2docker or "UUID" not in data:
        raise UsageError(
            f"{name} is a boot2docker machine, which cannot be cloned",
            resolution="leave --from out, and create the machine anew",
        )
    return CloneSource(name, tag, uuid).to_record()


def recorded(data: Mapping[str, Any]) -> CloneSource | None:
    """Return what a machine was made of, by its record; None if it is no clone. Raises ValueError for anything else."""
    found = clone_source.recorded(data)
    if found and not found.uuid:
        raise ValueError("CloneOf has no UUID")
    return found


def make_disk(ctx: DriverContext, vbox: VBox, of: CloneSource, megabytes: int) -> None:
    """Copy the disk of the snapshot that a record tells of; under its name when it is whole.

    Raises DriverError if the source or the snapshot is gone, or there is no room.
    """
    medium, size = _medium(ctx, vbox, of)
    if size >> 20 > megabytes:
        raise DriverError(
            f"the disk of {of.machine} at {of.tag} has {size >> 20} MB, more than {megabytes}",
            resolution=f"machine rm {ctx.name}; then again, with --virtualbox-disk-size {size >> 20}, or more",
        )
    media.copy_medium(vbox, medium, max(size, megabytes << 20), ctx.directory)
    if _medium(ctx, vbox, of)[0] != medium:  # removed just before it was copied: its disk is another one's now
        raise _gone(ctx, of)
    media.finish(ctx.directory)


def _medium(ctx: DriverContext, vbox: VBox, of: CloneSource) -> tuple[str, int]:
    """Return the UUID of the snapshot's disk, and how many bytes it has for the machine."""
    tag = snapshots.uuid_of(vbox.info(of.uuid) or {}, of.tag)
    known = vbox.hard_disks()
    base = os.path.join(os.path.dirname(ctx.directory), of.machine, media.DISK)
    medium = parse.disk_of_snapshot(known, tag, base) if tag else ""
    if not medium:
        raise _gone(ctx, of)
    seen = disks.inspect(base)
    if seen.format != "vdi":
        raise DriverError(f"{base} is no VDI any more, so it cannot be cloned", resolution="create the machine anew")
    return medium, seen.size


def _gone(ctx: DriverContext, of: CloneSource) -> DriverError:
    return DriverError(
        f"VirtualBox has no snapshot {of.tag} of {of.machine} any more",
        resolution=f"machine rm {ctx.name}; then choose another one: machine snapshot ls {of.machine}",
    )
