"""What `machine set` changes of a virtual machine: memory, processors and disk, all while it is off."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from machine.drivers.base import DriverContext, preflight_errors
from machine.drivers.images import capacity
from machine.drivers.virtualbox import client, config, hardware, media, parse, preflight, snapshots
from machine.drivers.virtualbox.client import VBox
from machine.drivers.virtualbox.config import Settings
from machine.drivers.virtualbox.options import DEFAULT_DISK
from machine.errors import PreflightFailed
from machine.options import Values

MEMORY, CPUS, DISK = "virtualbox-memory", "virtualbox-cpu-count", "virtualbox-disk-size"


def values_of(settings: Settings) -> dict[str, Any]:
    """Return the values of the options that can be changed, by their names."""
    return {MEMORY: settings.memory, CPUS: settings.cpus, DISK: settings.disk}


def changed(ctx: DriverContext, vbox: VBox, vm: str, settings: Settings, values: Values) -> Settings:
    """Return the settings with new values of some options, each of which the machine can have; VirtualBox is asked.

    Raises UsageError or PreflightFailed, which names the flag, where it cannot.
    """
    wanted = values_of(settings) | dict(values)
    config.check_sizes(wanted[MEMORY], wanted[CPUS], wanted[DISK])
    found = replace(settings, memory=wanted[MEMORY], cpus=wanted[CPUS], disk=wanted[DISK])
    with preflight_errors():
        if MEMORY in values:
            preflight.check_host(vbox, found)
        if DISK in values:
            _check_disk(ctx, vbox, vm, found.disk)
    return found


def _check_disk(ctx: DriverContext, vbox: VBox, vm: str, megabytes: int) -> None:
    disk = os.path.join(ctx.directory, media.DISK)
    if not os.path.exists(disk):
        raise PreflightFailed(
            f"the disk of {ctx.name} was made by docker-machine, in a format that VirtualBox cannot make larger",
            resolution=f"leave --{DISK} out; for a larger disk, make another machine",
        )
    now = vbox.capacity(disk)
    if megabytes < now:
        raise PreflightFailed(
            f"--{DISK} {megabytes} is less than the disk of {ctx.name} has ({now} MB): disks grow, and never shrink",
            resolution=f"--{DISK} {now}, or more; for a smaller disk, make another machine",
        )
    if megabytes > now and (found := snapshots.read(vbox.info(vm) or {})):
        raise PreflightFailed(
            f"{ctx.name} has snapshots, and VirtualBox makes no disk larger under them",
            resolution=f"machine snapshot rm {ctx.name} {found[0].tag}, and so on; then this command again",
        )
    capacity.check(megabytes, DISK, ctx.store, max(DEFAULT_DISK, now))


def as_found(vbox: VBox, vm: str, settings: Settings) -> Settings:
    """Return the settings with the memory, the processors and the disk that the machine has; VirtualBox is asked.

    All of this host's processors stay all of them, as long as that is their number.
    """
    info = vbox.info(vm) or {}
    memory, cpus = parse.number(info, "memory"), parse.number(info, "cpus")
    disk = info.get(f"{client.CONTROLLER}-{client.DISK}-0", "none")
    if cpus == hardware.cpus(settings):
        cpus = settings.cpus
    return replace(
        settings,
        memory=memory or settings.memory,
        cpus=cpus or settings.cpus,
        disk=settings.disk if disk == "none" else vbox.capacity(disk),
    )


def apply_off(vbox: VBox, vm: str, settings: Settings, directory: str, names: Sequence[str]) -> Sequence[str]:
    """Give a machine that is off what is recorded of the options `names`; return them."""
    if {MEMORY, CPUS} & set(names):
        vbox.modify(vm, "--memory", str(settings.memory), "--cpus", str(hardware.cpus(settings)))
    if DISK in names:
        media.grow(vbox, directory, settings.disk)
    return names
