"""The disk and the ISO of a machine: from an image, or for boot2docker."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable

from machine import files, lock, paths
from machine.drivers.images import disks, fetch, image_usage
from machine.drivers.virtualbox.client import VBox
from machine.drivers.virtualbox.errors import Busy
from machine.errors import DriverError, InProgress

DISK, PART, RAW = "disk.vdi", "disk.part.vdi", "disk.part.raw"
SEED, ISO, CONSOLE = "seed.iso", "boot2docker.iso", "console.log"
FILES = (RAW, PART, DISK, SEED, ISO, CONSOLE)
FIRST_MB = 64  # of boot2docker's disk before it is made larger
ASK_TO_FORMAT = "boot2docker, please format-me"  # boot2docker formats a disk that begins with a tar of this


class NotBootable(DriverError):
    """The image has no boot loader."""


def from_image(vbox: VBox, image: str, kind: str, directory: str) -> None:
    """Make the machine's VDI from an image; under its name only when it is whole."""
    if os.path.exists(os.path.join(directory, DISK)):
        return
    part, raw = _fresh(directory)
    source = image if kind == "raw" else raw
    if kind != "raw":
        disks.to_raw(image, raw, kind)
    if not disks.boots(source):
        raise NotBootable(
            f"the image {image} has no boot loader, which VirtualBox needs",
            resolution="give one that has with --virtualbox-image: debian-13, or the URL or path of a cloud image",
        )
    vbox.convert_raw(source, part, "VDI")
    finish(directory)


def for_boot2docker(vbox: VBox, public_key: str, directory: str) -> None:
    """An unformatted disk that tells boot2docker to format it and which key may log in."""
    if os.path.exists(os.path.join(directory, DISK)):
        return
    part, raw = _fresh(directory)
    with open(disks.private(raw), "wb") as file:
        file.write(key_tar(public_key))
        file.truncate(FIRST_MB << 20)
    vbox.convert_raw(raw, part, "VDI")
    finish(directory)


def imported(vbox: VBox, old: str, directory: str) -> None:
    """A copy of the disk of an old boot2docker VM."""
    if os.path.exists(os.path.join(directory, DISK)):
        return
    info = vbox.info(old)
    if info is None:
        raise DriverError(
            f"there is no virtual machine {old} to import", resolution="VBoxManage list vms shows their names"
        )
    source = info.get("SATA-1-0", "none")
    if source == "none":
        raise DriverError(f"the virtual machine {old} has no disk at port 1 of its controller SATA")
    vbox.forget(os.path.join(directory, PART))  # a copy whose VBoxManage was ended
    part, _ = _fresh(directory)
    vbox.clone(source, part, "VDI")
    finish(directory)


def copy_medium(vbox: VBox, medium: str, size: int, directory: str) -> None:
    """Copy a disk that VirtualBox lists, to one of `size` bytes that is not under its name yet: see `finish`."""
    vbox.forget(os.path.join(directory, PART))
    part, _ = _fresh(directory)
    vbox.make_disk(part, size)
    vbox.copy_onto(medium, part)
    vbox.forget(part)


def remove(vbox: VBox, directory: str) -> None:
    """Remove the files that were never attached. Raises InProgress while VirtualBox still copies a disk."""
    for path in (os.path.join(directory, name) for name in FILES):
        if not os.path.exists(path):
            continue
        if path.endswith((PART, DISK)):
            try:
                vbox.forget(path)
            except Busy as error:
                raise InProgress(
                    f"VirtualBox still copies {path}", details=error.details, resolution=error.resolution
                ) from error
        os.unlink(path)


def grow(vbox: VBox, directory: str, megabytes: int) -> None:
    """Give the disk the wanted size. Raises DriverError if it is larger already."""
    disk = os.path.join(directory, DISK)
    have = vbox.capacity(disk)
    if have > megabytes:
        raise DriverError(
            f"--virtualbox-disk-size {megabytes} is less than the image needs ({have} MB)",
            resolution=f"--virtualbox-disk-size {have}, or more",
        )
    if have < megabytes:
        vbox.resize(disk, megabytes)


def key_tar(public_key: str) -> bytes:
    """The tar archive at the beginning of boot2docker's disk."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in (
            (ASK_TO_FORMAT, ASK_TO_FORMAT),
            (".ssh", None),
            (".ssh/authorized_keys", public_key.strip() + "\n"),
            (".ssh/authorized_keys2", public_key.strip() + "\n"),
        ):
            entry = tarfile.TarInfo(name)
            data = (text or "").encode()
            entry.type, entry.mode = (tarfile.DIRTYPE, 0o700) if text is None else (tarfile.REGTYPE, 0o644)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def iso(word: str, store_root: str, directory: str, log: Callable[[str], None]) -> None:
    """The boot2docker ISO beside the machine, by way of the cache when it is a URL."""
    target = os.path.join(directory, ISO)
    if os.path.exists(target):
        return
    source = os.path.abspath(os.path.expanduser(word))
    if "://" in word:
        url, checksum = fetch.split(word)
        name = f"boot2docker-{hashlib.sha256(url.encode()).hexdigest()[:8]}.iso"
        source = paths.cache(store_root, name)
        files.make_directory(os.path.dirname(source))
        with lock.hold(f"{source}.lock", what=f"download {name}", say=log):  # beside it: stores may share the cache
            _download(url, source, checksum, log)
    try:
        disks.copy(source, target)
    except DriverError as error:
        raise DriverError(
            f"the ISO {source} cannot be copied",
            details=f"{error.brief}\n{error.resolution}",
            resolution="give the URL or path of an ISO with --virtualbox-boot2docker-url",
        ) from error


def _download(url: str, target: str, checksum: str, log: Callable[[str], None]) -> None:
    """The file under its name in the cache; by a name that no other computer uses until it is whole."""
    if os.path.exists(target):
        return
    arrived = f"{target}.{image_usage.host_tag()}"
    try:
        fetch.download(url, arrived, checksum, log)
    except DriverError as error:
        resolution = "give another URL or a path with --virtualbox-boot2docker-url"
        raise DriverError(error.brief, details=error.details, resolution=resolution) from error
    os.replace(arrived, target)


def _fresh(directory: str) -> tuple[str, str]:
    """Paths of the unfinished disk and the raw file, without what an earlier try left there."""
    part, raw = os.path.join(directory, PART), os.path.join(directory, RAW)
    for path in (part, raw):
        if os.path.exists(path):
            os.unlink(path)
    return part, raw


def finish(directory: str) -> None:
    """Give a disk that is whole its name."""
    os.replace(os.path.join(directory, PART), os.path.join(directory, DISK))
    if os.path.exists(os.path.join(directory, RAW)):
        os.unlink(os.path.join(directory, RAW))
