"""VirtualBox's disk images (VDI) as raw bytes. One that stands on another image is refused: no other file is opened.

The format is that of VirtualBox's VDICore.h: a header, a table with the place of each block, the blocks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from machine.errors import DriverError

GROWING, FIXED = 1, 2  # kinds of images; the others (undo, differencing) need a second file
LARGEST_BLOCK = 64 << 20  # bytes; VirtualBox makes blocks of 1 MB
MOST_BLOCKS = 32 << 20  # entries of the table: 32 TB at 1 MB each
NOT_THERE = 0xFFFFFFFE  # from here on: a block that was never written, or is all zeros
_HEAD = 392  # bytes up to the last field that is read


def size(file: BinaryIO) -> int:
    """Bytes of the disk that a machine would see; DriverError when the header makes no sense."""
    return _header(file)[2]


def blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(place on the disk, content) of each block that is there; DriverError, struct.error on a damaged image."""
    table, data, disk, block, extra, count = _header(file)
    file.seek(table)
    for number, at in enumerate(struct.unpack(f"<{count}I", file.read(4 * count))):
        place = number * block
        if at >= NOT_THERE or place >= disk:
            continue
        file.seek(data + at * (block + extra) + extra)
        yield place, file.read(block)[: disk - place]


def _header(file: BinaryIO) -> tuple[int, int, int, int, int, int]:
    """(place of the table, place of the blocks, bytes of the disk, of a block, before each block, number of blocks)."""
    file.seek(0)
    head = file.read(_HEAD)
    if len(head) < _HEAD or head[70:72] != b"\x01\x00":
        raise DriverError("it is a VDI of an unknown version, or cut short")
    kind = struct.unpack_from("<I", head, 76)[0]
    if kind not in (GROWING, FIXED):
        raise DriverError("it is a VDI that stands on another image")
    table, data = struct.unpack_from("<II", head, 340)
    disk, block, extra, count = struct.unpack_from("<QIII", head, 368)
    if not 0 < block <= LARGEST_BLOCK or extra > block or not count * block >= disk > 0 or count > MOST_BLOCKS:
        raise DriverError("it is a VDI whose header makes no sense")
    return table, data, disk, block, extra, count
