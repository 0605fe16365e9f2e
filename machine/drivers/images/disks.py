"""Disk images as files: what format one has, and a qcow2 image as raw bytes. No other program is needed.

The format: https://www.qemu.org/docs/master/interop/qcow2.html. Encrypted images, external data files and extended
L2 entries are refused; compression is zlib, the default.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from machine.errors import DriverError

SECTOR = 512
_QCOW2 = b"QFI\xfb"
_MAGIC = ((0, _QCOW2, "qcow2"), (0, b"KDMV", "vmdk"), (0, b"vhdxfile", "vhdx"), (64, b"\x7f\x10\xda\xbe", "vdi"))
_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_REFUSED = {4: "has its data in another file", 8: "is not compressed with zlib", 16: "has extended L2 entries"}


@dataclass(frozen=True, slots=True)
class Look:
    """The format (raw when it is none that is known), and the image that it stands on, "" for none."""

    format: str
    base: str = ""


def look(path: str) -> Look:
    """What is in a file; DriverError when it cannot be read or is empty."""
    try:
        with open(path, "rb") as file:
            head = file.read(104)
            if not head:
                raise DriverError(f"{path} is empty", resolution="give another image")
            for place, magic, name in _MAGIC:
                if head[place : place + len(magic)] == magic:
                    return Look(name, _base(file, head) if name == "qcow2" else "")
    except OSError as error:
        raise DriverError(f"{path} cannot be read: {error.strerror}", resolution="give another image") from error
    return Look("raw")


def boots(path: str) -> bool:
    """Whether a raw disk has a boot sector."""
    with open(path, "rb") as file:
        return file.read(SECTOR)[510:] == b"\x55\xaa"


def to_raw(source: str, target: str) -> None:
    """Write the qcow2 image `source` as the raw, sparse file `target`; DriverError when it is damaged or unusual."""
    try:
        with open(source, "rb") as file, open(target, "wb") as out:
            _copy(file, out, source)
    except (struct.error, zlib.error) as error:
        raise DriverError(f"the image {source} is damaged: {error}", resolution="get it anew") from error
    except OSError as error:
        raise DriverError(f"cannot write {target}: {error.strerror}", resolution="make room on that disk") from error


def _base(file: BinaryIO, head: bytes) -> str:
    place, length = struct.unpack_from(">QI", head, 8)
    if not place:
        return ""
    file.seek(place)
    return file.read(min(length, 1023)).decode("utf-8", "replace")


def _copy(file: BinaryIO, out: BinaryIO, source: str) -> None:
    head = file.read(104).ljust(104, b"\0")
    version, bits, size, encrypted, entries, table = struct.unpack_from(">I12xIQIIQ", head, 4)
    features = struct.unpack_from(">Q", head, 72)[0] if version >= 3 else 0
    reasons = [text for bit, text in _REFUSED.items() if features & bit] + ["is encrypted"] * bool(encrypted)
    if reasons or not 9 <= bits <= 21:
        raise DriverError(
            f"the image {source} {' and '.join(reasons) or 'has clusters of an odd size'}",
            resolution="make it plain first: qemu-img convert -O qcow2 IMAGE PLAIN.qcow2",
        )
    cluster = 1 << bits
    out.truncate(size)
    file.seek(table)
    for number, first in enumerate(struct.unpack(f">{entries}Q", file.read(8 * entries))):
        if not first & _OFFSET:
            continue
        file.seek(first & _OFFSET)
        for index, entry in enumerate(struct.unpack(f">{cluster // 8}Q", file.read(cluster))):
            place = (number * (cluster // 8) + index) * cluster
            data = _cluster(file, entry, bits) if entry and place < size else b""
            if data.strip(b"\0"):
                out.seek(place)
                out.write(data[: size - place])


def _cluster(file: BinaryIO, entry: int, bits: int) -> bytes:
    """The bytes of one cluster, empty when it reads as zeros."""
    cluster = 1 << bits
    if entry & _COMPRESSED:
        split = 62 - (bits - 8)
        place = entry & ((1 << split) - 1)
        sectors = ((entry & (_COMPRESSED - 1)) >> split) + 1
        file.seek(place)
        packed = file.read(sectors * SECTOR - place % SECTOR)
        return zlib.decompressobj(-12).decompress(packed, cluster)
    if entry & 1 or not entry & _OFFSET:  # bit 0: all zeros
        return b""
    file.seek(entry & _OFFSET)
    return file.read(cluster)
