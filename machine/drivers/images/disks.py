"""Disk images as files: what one is, whether it may be the base of a machine's disk, and a qcow2 image as raw bytes.

No other program is needed, and no other file is ever opened: an image is somebody else's word, and several formats
can name other files, which a hypervisor would open with this user's rights. So only raw and plain qcow2 are taken.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from machine import files
from machine.drivers.images import qcow2, vdi
from machine.errors import DriverError

SECTOR = 512
LARGEST = 16 << 40  # bytes of a disk: what ext4 with blocks of 4 KiB can fill without its 64bit feature
ROOM_LEFT = 256 << 20  # bytes that unpacking leaves free on the host's disk
LOOK_EVERY = 64 << 20  # bytes written between two looks at that
_HEAD = 512  # bytes that tell a format
_MAGIC = (  # (place, bytes, format): all but qcow2 are refused
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"QED\0", "qed"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"BZh", "bzip2"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"PK\x03\x04", "zip"),
    (257, b"ustar", "tar"),
    (0, b"<", "a web page"),
)
_PACKED = {"gzip": "gunzip", "xz": "unxz", "bzip2": "bunzip2", "zstd": "unzstd", "zip": "unzip", "tar": "tar -xf"}
_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_MOST_PACKED = 11  # bits by which zlib makes a cluster of zeros smaller at most: 1032 times


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a file is: its format (raw when it is none that is known), the image that it stands on ("" for none).

    `size` is the disk that a machine would see, in bytes; `problems` are words that say why none may use it.
    """

    format: str
    base: str = ""
    size: int = field(default=0, compare=False)
    base_format: str = field(default="", compare=False)
    problems: tuple[str, ...] = ()


def inspect(path: str) -> ImageInfo:
    """What is in a file. Raises DriverError if it cannot be read, is empty or no ordinary file. Opens nothing else."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise DriverError(f"{path} is no ordinary file", resolution="give the path of an image")
            return _look(file, seen.st_size, path)
    except OSError as error:
        raise DriverError(f"{path} cannot be read: {error.strerror}", resolution="give another image") from error


def check_plain(path: str, called: str = "", formats: Sequence[str] = ("raw", "qcow2")) -> ImageInfo:
    """`inspect` an image that somebody else made: DriverError unless it has one of `formats` and needs no other file.

    `called` is what errors name it. A `base` is for the caller to judge.
    """
    seen = inspect(path)
    path = called or path
    if seen.format in _PACKED:
        raise DriverError(
            f"{path} is packed ({seen.format})", resolution=f"unpack it first: {_PACKED[seen.format]} {path}"
        )
    if seen.format not in formats:
        raise DriverError(
            f"{path} is {seen.format}, which may name other files of this host; {', '.join(formats)} are taken",
            resolution=f"if you trust it, convert it: qemu-img convert -O qcow2 {path} PLAIN.qcow2",
        )
    problems = [*seen.problems, *(["has a size that no file system takes"] if seen.size > LARGEST else [])]
    if problems:
        raise DriverError(
            f"the image {path} {' and '.join(problems)}",
            resolution=f"if you trust it, make it plain: qemu-img convert -f {seen.format} -O qcow2 {path} PLAIN.qcow2",
        )
    return seen


def copy(source: str, target: str) -> None:
    """Copy a file to `target`, 0600, holes staying holes, whole or not at all.

    Raises DriverError if there is no room.
    """
    part = f"{target}.part"
    try:
        with open(source, "rb") as file, open(private(part), "wb") as out:
            budget = Room(part)
            while data := file.read(1 << 20):
                if data.strip(b"\0"):
                    budget.spend(len(data))
                    out.write(data)
                else:
                    out.seek(len(data), os.SEEK_CUR)
            out.truncate(file.tell())
        os.replace(part, target)
    except OSError as error:
        files.remove_quietly(part)
        raise DriverError(f"cannot copy {source}: {error.strerror}", resolution="make room on that disk") from error
    except DriverError:
        files.remove_quietly(part)
        raise


def boots(path: str) -> bool:
    """Whether a raw disk has a boot sector."""
    with open(path, "rb") as file:
        return file.read(SECTOR)[510:] == b"\x55\xaa"


def private(path: str) -> int:
    """A descriptor of the new, empty file `path`, mode 0600 whatever the umask is; for the owner to write."""
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)  # one that was there before keeps its mode otherwise
    return descriptor


def to_raw(source: str, target: str, kind: str = "qcow2") -> None:
    """Write the image `source`, qcow2 or vdi as `kind` says, as the raw, sparse file `target`, 0600.

    Raises DriverError if it is damaged or unusual, needs another file, or holds more than there is room for.
    """
    try:
        with open(source, "rb") as file, open(private(target), "wb") as out:
            (_copy_vdi if kind == "vdi" else _copy)(file, out, source, Room(target))
    except (struct.error, zlib.error) as error:
        raise DriverError(f"the image {source} is damaged: {error}", resolution="get it anew") from error
    except OSError as error:
        raise DriverError(f"cannot write {target}: {error.strerror}", resolution="make room on that disk") from error


class Room:
    """Free bytes of the disk that something of unknown length is written to."""

    def __init__(self, path: str) -> None:
        self._path, self._unseen = path, LOOK_EVERY

    def spend(self, count: int) -> None:
        """Before `count` bytes are written. Raises DriverError if too little would be left."""
        self._unseen += count
        if self._unseen < LOOK_EVERY:
            return
        self._unseen = 0
        where = os.path.dirname(os.path.abspath(self._path))
        if shutil.disk_usage(where).free < ROOM_LEFT + LOOK_EVERY:
            raise DriverError(
                f"the image holds more than there is room for in {where}",
                resolution="make room on that disk, or give another image",
            )


def _look(file: BinaryIO, length: int, path: str) -> ImageInfo:
    head = file.read(_HEAD)
    if not head:
        raise DriverError(f"{path} is empty", resolution="give another image")
    if head.startswith(qcow2.MAGIC):
        found = qcow2.read(file)
        return ImageInfo("qcow2", found.base, found.size, found.base_format, found.problems)
    for place, magic, name in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return ImageInfo(name, size=vdi.size(file)) if name == "vdi" else ImageInfo(name)
    file.seek(max(0, length - SECTOR))
    tail = file.read(SECTOR)
    if tail.startswith((b"conectix", b"koly")):
        return ImageInfo("vhd" if tail.startswith(b"conectix") else "dmg")
    return ImageInfo("raw", size=length)


def _copy(file: BinaryIO, out: BinaryIO, source: str, room: Room) -> None:
    head = qcow2.read(file)
    reasons = list(head.problems)
    if head.base:
        reasons.append("stands on another image")
    if head.features & qcow2.COMPRESSION:
        reasons.append("is not compressed with zlib")
    if head.features & qcow2.EXTENDED_L2:
        reasons.append("has extended L2 entries")
    if head.size > LARGEST:
        reasons.append("has a size that no file system takes")
    if reasons:
        raise DriverError(
            f"the image {source} {' and '.join(reasons)}",
            resolution=f"if you trust it, make it plain first: qemu-img convert -f qcow2 -O qcow2 {source} PLAIN.qcow2",
        )
    bits, size = head.cluster_bits, head.size
    cluster = 1 << bits
    content = vdi.Content(file)
    out.truncate(size)
    file.seek(head.table)
    entries = head.needed_entries
    for number, first in enumerate(struct.unpack(f">{entries}Q", file.read(8 * entries))):
        if not first & _OFFSET:
            continue
        file.seek(first & _OFFSET)
        content.spend(cluster)
        for index, entry in enumerate(struct.unpack(f">{cluster // 8}Q", file.read(cluster))):
            place = (number * (cluster // 8) + index) * cluster
            data = _cluster(file, entry, bits, content) if entry and place < size else b""
            if data.strip(b"\0"):
                room.spend(len(data))
                out.seek(place)
                out.write(data[: size - place])


def _copy_vdi(file: BinaryIO, out: BinaryIO, source: str, room: Room) -> None:
    size = vdi.size(file)
    if size > LARGEST:
        raise DriverError(f"the image {source} has a size that no file system takes", resolution="give another image")
    out.truncate(size)
    for place, data in vdi.blocks(file):
        if data.strip(b"\0"):
            room.spend(len(data))
            out.seek(place)
            out.write(data)


def _cluster(file: BinaryIO, entry: int, bits: int, content: vdi.Content) -> bytes:
    """The bytes of one cluster, empty when it reads as zeros."""
    cluster = 1 << bits
    if entry & _COMPRESSED:
        split = 62 - (bits - 8)
        place = entry & ((1 << split) - 1)
        sectors = ((entry & (_COMPRESSED - 1)) >> split) + 1
        file.seek(place)
        packed = file.read(sectors * SECTOR - place % SECTOR)
        content.spend(max(len(packed) - SECTOR, cluster >> _MOST_PACKED))  # the last sector may be the next one's too
        return zlib.decompressobj(-12).decompress(packed, cluster)
    if entry & 1 or not entry & _OFFSET:  # bit 0: all zeros
        return b""
    file.seek(entry & _OFFSET)
    data = file.read(cluster)
    content.spend(len(data))
    return data


def remove(path: str) -> None:
    """Remove a file if it is there. Raises DriverError if that cannot be done."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DriverError(f"cannot remove {path}: {error.strerror}", resolution="check who owns it") from error
