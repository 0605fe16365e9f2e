"""The acts on one virtual machine: its disk, its start, a word to the qemu that runs it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence

import machine
from machine import background, port_holder
from machine.drivers.images import disks
from machine.drivers.qemu import argv, paths
from machine.drivers.qemu.qmp import Client, QmpError
from machine.errors import CommandFailed, DriverError
from machine.process import Completed

Run = Callable[..., Completed]
START_SECONDS = 60.0  # for qemu to go to the background
LOAD_SECONDS = 600.0  # and for the memory of a large machine to be read before, from a slow disk
ASK_SECONDS = 3.0
FIRMWARE = (
    "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
    "/usr/share/AAVMF/AAVMF_CODE.fd",
    "/opt/homebrew/share/qemu/edk2-aarch64-code.fd",
    "/usr/local/share/qemu/edk2-aarch64-code.fd",
)


def status(socket_path: str) -> str:
    """qemu's word for what the machine does: running, paused, io-error, ...; "" when qemu does not answer."""
    try:
        with Client(socket_path, ASK_SECONDS) as client:
            answer = client.command("query-status")
    except QmpError:
        return ""
    return str(answer.get("status", "")) if isinstance(answer, dict) else ""


def command(socket_path: str, name: str) -> None:
    """One QMP command; success too when qemu ends while it is asked."""
    with Client(socket_path, ASK_SECONDS) as client:
        client.command(name)


def make_overlay(disk: str, base: str, base_format: str, megabytes: int, run: Run, *, plain: bool = True) -> None:
    """A qcow2 disk of the given size over a base image; under its name only when it is whole.

    `base` may be relative to the disk's directory. It is looked at again: DriverError if it is not what was checked.
    `plain`: it stands on nothing itself.
    """
    part = f"{disk}.part"
    below = os.path.join(os.path.dirname(disk), base)
    least = (_sound(below, base_format) if plain else disks.inspect(below)).size
    if megabytes << 20 < least:
        needed = least + (1 << 20) - 1 >> 20
        raise DriverError(
            f"--qemu-disk-size {megabytes} is less than the image needs ({needed} MB)",
            resolution=f"--qemu-disk-size {needed}, or more, or another --qemu-image",
        )
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", base_format, "-b", base, part, f"{megabytes}M"]
    try:
        run(command, timeout=60)
        os.replace(part, disk)
    except CommandFailed as error:
        raise DriverError(
            f"the disk {disk} could not be made", details=error.details, resolution="make room on that disk"
        ) from error


def check_disk(disk: str, base: str, base_format: str, *, plain: bool = True) -> None:
    """Raises DriverError unless the machine's disk stands on its base and on nothing else; before qemu opens them.

    `base` may be relative to the disk's directory. `plain`: the base stands on nothing itself.
    """
    try:
        own = disks.inspect(disk)
    except DriverError as error:
        raise DriverError(
            f"the disk {disk} cannot be used",
            details=error.brief,
            resolution="machine rm and machine create make it anew",
        ) from error
    if own.format != "qcow2" or own.problems or own.base != base or own.base_format != base_format:
        found = f"it stands on {own.base!r} ({own.base_format or 'no format'})" if own.base else f"it is {own.format}"
        raise DriverError(
            f"the disk {disk} is not the one that was made for this machine",
            details="; and ".join([found, *own.problems]),
            resolution="put the right file back, or make the machine anew: machine rm, machine create",
        )
    if plain:
        _sound(os.path.join(os.path.dirname(disk), base), base_format)


def _sound(path: str, wanted: str) -> disks.ImageInfo:
    """A base image that needs no other file. Raises DriverError for one that has changed into something else."""
    seen = disks.check_plain(path)
    if seen.base or seen.format != wanted:
        what = f"stands on {seen.base!r}" if seen.base else f"is {seen.format}, not {wanted}"
        raise DriverError(
            f"the image {path} {what}: it was changed since it was checked",
            resolution="put the old file back, or make the machine anew from one that nobody changes",
        )
    return seen


def launch(machine: argv.Machine, run: Run, *, goes_on: bool = False) -> None:
    """Start qemu; it is in the background when this returns. What is left of an earlier run is removed first.

    `goes_on`: the machine is to go on where it was, so that its ports are those that it has reported last. Of one that
    runs by itself the forwarder is expected before that, for nobody may be left to start it.
    DriverError translates what qemu says when it does not start.
    """
    if machine.sockets != machine.directory:
        paths.prepare(machine.sockets)
    for name in (*paths.SOCKETS, paths.PID):  # of a run before the host's last reboot
        disks.remove(os.path.join(machine.sockets, name))
    for name in (paths.FORWARDS, paths.FORWARDER_LOCK, paths.FORWARDED_PORTS, paths.CONSOLE):
        disks.remove(os.path.join(machine.directory, name))
    if not goes_on:
        disks.remove(os.path.join(machine.directory, paths.PORT_REPORT))
    if not machine.incoming:  # one that waits may be told over the forwarder's socket first who it is
        background.expect(os.path.join(machine.directory, paths.FORWARDER_LOCK))
    try:
        run(argv.build(machine), timeout=LOAD_SECONDS if machine.snapshot else START_SECONDS)
    except CommandFailed as error:
        raise explained(error, machine.name) from error
    console = os.path.join(machine.directory, paths.CONSOLE)
    for path in (*(os.path.join(machine.sockets, name) for name in paths.SOCKETS), console):
        if os.path.exists(path):
            os.chmod(path, 0o600)  # qemu -daemonize sets a umask of its own


def explained(error: CommandFailed, name: str) -> DriverError:
    """qemu's own words, with the cure for the usual ones."""
    said = error.details.partition("\n")[2].strip() or error.brief
    brief, resolution = f"qemu could not start {name}", "--debug shows the whole command line"
    forward = re.search(r"host forwarding rule '?(tcp|udp):([0-9.]+):([0-9]+)-", said)
    if forward:
        kind, address, port = forward.groups()
        cause, resolution = port_holder.why(address, int(port), kind)
        brief = f"{name} needs a port that it cannot have: {port_holder.sentence(address, int(port), cause)}"
        resolution = f"{resolution or 'try again'}, or publish other ports (--qemu-publish); then: machine start {name}"
    elif "lock" in said and "write" in said:
        brief, resolution = f"the disk of {name} is in use by another process", "end that process first"
    elif "allocate memory" in said:
        brief, resolution = (
            f"there is not enough memory to start {name}",
            "stop other machines, or give less --qemu-memory",
        )
    elif "not installed" in said:
        resolution = "install qemu: sudo apt-get install qemu-system qemu-utils (macOS: brew install qemu)"
    elif "invalid accelerator" in said or "accel" in said:
        resolution = "choose --qemu-accel tcg, which works everywhere"
    return DriverError(brief, details=said, resolution=resolution)


def start_forwarder(vm: argv.Machine, run: Run, own_ports: Sequence[int] | None) -> None:
    """Start the forwarder, which keeps the forwards in step with the ports that containers publish.

    They are on localhost too, without `own_ports` of the machine; None: they are not.
    """
    fixed = ",".join(str(guest) for _, guest in vm.forwards)
    package_root = os.path.dirname(os.path.dirname(os.path.abspath(machine.__file__)))
    sockets = (os.path.join(vm.sockets, name) for name in (paths.QMP_FORWARD, paths.GUEST))
    log, lock = (os.path.join(vm.directory, name) for name in (paths.FORWARDS, paths.FORWARDER_LOCK))
    localhost = [] if own_ports is None else [f"--localhost={','.join(map(str, own_ports))}"]
    guarded = [f"--guard={vm.sockets}"] if vm.guarded else []
    program = [sys.executable, "-m", "machine.drivers.qemu.forwarder", *guarded]
    words = [*program, *localhost, *sockets, log, vm.place.address, fixed, lock]
    run(words, cwd=package_root, timeout=30)


def firmware(arch: str) -> str:
    """The UEFI of an arm64 machine with a boot loader of its own; "" where none is needed."""
    if arch != "arm64":
        return ""
    found = next((path for path in FIRMWARE if os.path.exists(path)), "")
    if not found:
        raise DriverError(
            "booting this image needs UEFI firmware for arm64, which is not installed",
            resolution="sudo apt-get install qemu-efi-aarch64",
        )
    return found
