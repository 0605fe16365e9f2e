"""The read-only checks before a create: what would make it fail, each with its cure."""

from __future__ import annotations

import os
import shutil
import sys

from machine.drivers.base import DriverContext, preflight_errors
from machine.drivers.images import cache, capacity
from machine.drivers.virtualbox import network, parse, shares
from machine.drivers.virtualbox.client import VBox
from machine.drivers.virtualbox.config import Settings
from machine.drivers.virtualbox.options import DEFAULT_DISK
from machine.errors import PreflightFailed

OLDEST = (5, 2, 0)
ROOM = 4000 << 20  # bytes: the image, the disk made from it, and what a machine writes in its first minutes


def check(ctx: DriverContext, vbox: VBox, wanted: Settings, own_uuid: str, *, clone: bool = False) -> None:
    """Raises PreflightFailed, or one of errors.py that is one too, for the first thing that is not right.

    A clone needs no image.
    """
    with preflight_errors():
        _program(vbox)
        check_host(vbox, wanted)
        taken = vbox.machines()
        if wanted.imported and wanted.imported not in taken.values():
            raise PreflightFailed(
                f"there is no virtual machine {wanted.imported} to import",
                resolution="give a name that VBoxManage list vms shows, with --virtualbox-import-boot2docker-vm",
            )
        if any(name == ctx.name and uuid != own_uuid for uuid, name in taken.items()):
            raise PreflightFailed(
                f"VirtualBox has another virtual machine called {ctx.name}",
                resolution="choose another name, or remove that one (VBoxManage unregistervm)",
            )
        capacity.check(wanted.disk, "virtualbox-disk-size", ctx.store, DEFAULT_DISK)
        _share(wanted)
        if not clone:
            _image(wanted)
        _network(vbox, wanted)
    _room(ctx.store)


def _program(vbox: VBox) -> None:
    said = vbox.version()
    found = parse.version(said)
    if parse.lacks_kernel_driver(said):
        raise PreflightFailed(
            "VirtualBox's kernel driver is not loaded, so it cannot start machines",
            details=said.strip(),
            resolution="sudo modprobe vboxdrv; if that fails, sudo apt-get install virtualbox-dkms linux-headers-"
            "$(uname -r), or sudo /sbin/vboxconfig",
        )
    if found < OLDEST:
        raise PreflightFailed(
            f"VBoxManage says that it is version {'.'.join(map(str, found))}",
            details=said.strip(),
            resolution="install VirtualBox 6.1 or newer",
        )


def check_host(vbox: VBox, wanted: Settings) -> None:
    """Raise PreflightFailed where this host has no hardware virtualization, or less memory than the machine."""
    host = vbox.host()
    if not wanted.no_vtx_check and host.get("Processor supports HW virtualization") == "no":
        raise PreflightFailed(
            "this host's processor offers no hardware virtualization, which VirtualBox needs",
            resolution="switch VT-x or AMD-V on in its BIOS; --virtualbox-no-vtx-check skips this check, "
            "-d qemu does without",
        )
    words = host.get("Memory size", "").split()
    if words and words[0].isdigit():
        capacity.check_memory(wanted.memory, "virtualbox-memory", int(words[0]))


def _share(wanted: Settings) -> None:
    share = shares.wanted(wanted)
    if wanted.share and share and not os.path.isdir(share[0]):
        raise PreflightFailed(
            f"there is no directory {share[0]} to share", resolution="give another one with --virtualbox-share-folder"
        )


def _image(wanted: Settings) -> None:
    if wanted.boot2docker:
        if "://" not in wanted.boot2docker and not os.access(os.path.expanduser(wanted.boot2docker), os.R_OK):
            raise PreflightFailed(
                f"the ISO {wanted.boot2docker} cannot be read",
                resolution="give its path or URL with --virtualbox-boot2docker-url",
            )
        return
    kind = cache.classify(wanted.image, "virtualbox")
    if kind == "path" and not os.access(os.path.expanduser(wanted.image), os.R_OK):
        raise PreflightFailed(
            f"the image {wanted.image} cannot be read", resolution="give the path of an image with --virtualbox-image"
        )


def _network(vbox: VBox, wanted: Settings) -> None:
    if not sys.platform.startswith("linux") or parse.version(vbox.version()) < network.LIMITED_SINCE:
        return
    plan = network.parse(wanted.cidr)
    if any(block.get("IPAddress") == str(plan.host) for block in vbox.interfaces()):
        return
    try:
        with open(network.CONFIG, encoding="utf-8", errors="replace") as file:
            config = file.read()
    except OSError:
        config = None
    if not network.allowed(plan, config):
        raise PreflightFailed(
            f"VirtualBox does not allow this host the address of --virtualbox-hostonly-cidr {wanted.cidr}",
            resolution=f"sudo mkdir -p /etc/vbox && echo '* {plan.network}' | sudo tee -a {network.CONFIG}, or leave "
            "the flag out",
        )


def _room(store_root: str) -> None:
    place = capacity.existing_directory(store_root)
    free = shutil.disk_usage(place).free
    if free < ROOM:
        raise PreflightFailed(
            f"no room for a machine: {place} has {free >> 20} MB free, {ROOM >> 20} MB are needed",
            resolution="make room, or put the store on another disk with --storage-path (or MACHINE_STORAGE_PATH)",
        )
