"""The read-only checks before a create: what would make it fail, each with its cure."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from machine import port_holder
from machine.drivers.base import DriverContext
from machine.drivers.images import cache, capacity
from machine.drivers.qemu import accel, net
from machine.drivers.qemu.config import Settings
from machine.drivers.qemu.options import DEFAULT_DISK
from machine.errors import DriverError, PreflightFailed

LEAST_ROOM = 2500 << 20  # bytes: what a machine writes in its first minutes, Docker included
FOR_IMAGE = 2500 << 20  # a build's raw and finished image side by side


def check(ctx: DriverContext, wanted: Settings, host: accel.Host, cached: bool) -> None:
    """Raises PreflightFailed for the first thing that is not right. Nothing is made."""
    if not (sys.platform.startswith("linux") or sys.platform == "darwin"):
        raise PreflightFailed(
            "the driver qemu needs Linux or macOS", resolution="choose another driver with -d, or run it inside WSL 2"
        )
    check_programs(wanted, host)
    check_accel(wanted.accel, host)
    check_size(wanted)
    check_published(wanted)
    capacity.check(wanted.disk, "qemu-disk-size", ctx.store, DEFAULT_DISK)
    if not cached:
        check_image(wanted.image)
    check_room(ctx.store, LEAST_ROOM + (0 if cached else FOR_IMAGE))


def check_programs(wanted: Settings, host: accel.Host) -> None:
    """qemu and qemu-img."""
    for program, package in ((wanted.program or accel.program(host.arch), "qemu-system"), ("qemu-img", "qemu-utils")):
        if not shutil.which(program):
            details = "give its path with --qemu-program" if package == "qemu-system" else ""
            raise PreflightFailed(
                f"the program {program} is not installed",
                details=details,
                resolution=f"sudo apt-get install {package} (Fedora: dnf install qemu; macOS: brew install qemu)",
            )


def check_accel(word: str, host: accel.Host) -> None:
    """An accelerator that was asked for by name must be there."""
    if word == "kvm" and not (host.virtualised and host.kvm_opens):
        why = "its processor has no vmx or svm flag" if not host.virtualised else f"{accel.KVM} cannot be opened"
        raise PreflightFailed(
            f"KVM does not work on this host: {why}",
            resolution="leave --qemu-accel out, or join the group kvm: sudo usermod -aG kvm $USER, and log in again",
        )
    if word == "hvf" and host.system != "darwin":
        raise PreflightFailed("hvf exists on macOS only", resolution="leave --qemu-accel out")


def check_size(wanted: Settings) -> None:
    """No more memory than the host has; processors beyond the host's only make a machine slower."""
    capacity.check_memory(wanted.memory, "qemu-memory", _memory())


def check_published(wanted: Settings) -> None:
    """This user may open the ports of this host that are to be published."""
    for host, guest in wanted.publish:
        cause, resolution = port_holder.forbidden(host)
        if cause:
            raise PreflightFailed(
                f"--qemu-publish {host}:{guest} cannot be done: {cause}",
                resolution=f"publish it at another port: --qemu-publish {host + 8000 if host < 1024 else 8080}:{guest};"
                f" or {resolution}",
            )


def check_image(word: str) -> None:
    """A name that is known, a URL, or a file that can be read."""
    try:
        kind = cache.classify(word)
    except DriverError as error:
        raise PreflightFailed(error.brief, details=error.details, resolution=error.resolution) from error
    if kind == "path" and not os.access(os.path.expanduser(word), os.R_OK):
        raise PreflightFailed(
            f"the image {word} cannot be read", resolution="give the path of a qcow2 or raw image with --qemu-image"
        )


def check_room(store_root: str, needed: int) -> None:
    """Room in the store, also when it does not exist yet."""
    place = capacity.existing_directory(store_root)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise PreflightFailed(
            f"no room for a machine: {place} has {free >> 20} MB free, {needed >> 20} MB are needed",
            resolution="make room, or put the store on another disk with --storage-path (or MACHINE_STORAGE_PATH)",
        )


def taken_port(place: net.NetworkAddress, publish: Sequence[tuple[int, int]]) -> int | None:
    """The first of the ports that a machine is about to open which another program has; None if all are free."""
    needed = (place.ssh_port, place.engine_port, place.swarm_port, *(host for host, _ in publish))
    return next((port for port in needed if not net.can_listen(place.address, port)), None)


def check_ports(place: net.NetworkAddress, publish: Sequence[tuple[int, int]]) -> None:
    """DriverError names the first port that is taken."""
    port = taken_port(place, publish)
    if port is not None:
        cause, resolution = port_holder.why(place.address, port)
        raise DriverError(
            port_holder.sentence(place.address, port, cause),
            details="the machine's certificate and record name that address, so it keeps it",
            resolution=f"{resolution + ', then' if resolution else 'please'} start the machine again",
        )


def _memory() -> int:
    """MB of memory of this host, 0 when unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (ValueError, OSError):
        return 0
