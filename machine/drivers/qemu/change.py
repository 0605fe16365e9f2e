"""What `machine set` changes of a virtual machine: checked first, and given to one that is off or that runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from machine.drivers.base import DriverContext
from machine.drivers.images import capacity, disks
from machine.drivers.qemu import argv, config, net, paths, preflight, vm
from machine.drivers.qemu.config import FLAGS, Settings
from machine.drivers.qemu.options import DEFAULT_DISK, OPTIONS
from machine.drivers.qemu.qmp import Client
from machine.errors import CommandFailed, DriverError, PreflightFailed
from machine.options import Values, resolve

CPUS, MEMORY, DISK, PUBLISH = "qemu-cpu-count", "qemu-memory", "qemu-disk-size", "qemu-publish"
FIELDS = {CPUS: "cpus", MEMORY: "memory", DISK: "disk", PUBLISH: "publish"}  # of Settings
RESIZE_SECONDS = 60.0


def values_of(settings: Settings) -> dict[str, Any]:
    """Return the values of the options that can be changed, by their names."""
    return {
        MEMORY: settings.memory,
        CPUS: settings.cpus,
        DISK: settings.disk,
        PUBLISH: [f"{host}:{guest}" for host, guest in settings.publish],
    }


def changed(ctx: DriverContext, settings: Settings, values: Values, place: net.NetworkAddress) -> Settings:
    """Return the settings with new values of some options, each of which the machine can have.

    `place` is where its ports are open. Raises UsageError or PreflightFailed, which names the flag, where it cannot.
    """
    parsed = config.from_values({**resolve(OPTIONS, {}, {}), **values})
    wanted = replace(settings, **{field: getattr(parsed, field) for name, field in FIELDS.items() if name in values})
    if MEMORY in values:
        preflight.check_size(wanted)
    if DISK in values:
        _check_disk(ctx, wanted.disk)
    if PUBLISH in values:
        preflight.check_published(wanted)
        _check_ports(place, [pair for pair in wanted.publish if pair not in settings.publish])
    return wanted


def _check_disk(ctx: DriverContext, megabytes: int) -> None:
    """Raise PreflightFailed for a disk smaller than the machine's, or larger than this host's."""
    path = os.path.join(ctx.directory, paths.DISK)
    now = disks.inspect(path).size >> 20 if os.path.exists(path) else 0
    if megabytes < now:
        raise PreflightFailed(
            f"--{DISK} {megabytes} is less than the disk of {ctx.name} has ({now} MB): disks grow, and never shrink",
            resolution=f"--{DISK} {now}, or more; for a smaller disk, make another machine",
        )
    capacity.check(megabytes, DISK, ctx.store, max(DEFAULT_DISK, now))


def _check_ports(place: net.NetworkAddress, publish: Sequence[tuple[int, int]]) -> None:
    """Raise UsageError for a port of the machine's own, PreflightFailed for one that another program has."""
    for host, guest in publish:
        if host in (place.ssh_port, place.engine_port, place.swarm_port):
            raise FLAGS.wrong("publish", f"{host}:{guest}", "another port: that one is the machine's own already")
        try:
            if not net.can_listen(place.address, host):
                preflight.check_ports(place, [(host, guest)])
        except DriverError as error:
            raise PreflightFailed(
                f"--{PUBLISH} {host}:{guest} cannot be done: port {host} at {place.address} is taken",
                details=error.brief,
                resolution=f"publish it at another port: --{PUBLISH} {host + 8000 if host < 1024 else 8080}:{guest}",
            ) from error


def apply_off(
    machine: argv.Machine, megabytes: int, names: Sequence[str], check: Callable[[], None], run: vm.Run
) -> Sequence[str]:
    """Give a machine that is off the options `names`: its disk grows now, all else comes with its start.

    `check` raises DriverError unless qemu may open the disk.
    """
    disk = os.path.join(machine.directory, paths.DISK)
    if DISK in names and disks.inspect(disk).size < megabytes << 20:
        check()
        try:
            run(["qemu-img", "resize", "-q", "-f", "qcow2", disk, f"{megabytes}M"], timeout=RESIZE_SECONDS)
        except CommandFailed as error:
            raise DriverError(
                f"the disk {disk} could not be made larger", details=error.details, resolution="make room on that disk"
            ) from error
    return names


def apply_running(machine: argv.Machine, megabytes: int, names: Sequence[str]) -> Sequence[str]:
    """Give a running machine what it can have of the options `names`; return the names of those that it has now.

    Its disk grows at once. Memory and processors are those that its qemu was started with, and so are published
    ports, which the machine has with its next start.
    """
    done = []
    with Client(os.path.join(machine.sockets, paths.QMP), RESIZE_SECONDS) as client:
        if DISK in names:
            if disks.inspect(os.path.join(machine.directory, paths.DISK)).size < megabytes << 20:
                client.command("block_resize", device="disk", size=megabytes << 20)
            done.append(DISK)
        if MEMORY in names and client.command("query-memory-size-summary")["base-memory"] == machine.memory << 20:
            done.append(MEMORY)
        if CPUS in names and len(client.command("query-cpus-fast")) == machine.cpus:
            done.append(CPUS)
    return done
