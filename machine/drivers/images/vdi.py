"""VirtualBox's disk images (VDI) as raw bytes. One that stands on another image is refused: no other file is opened.

The format is that of VirtualBox's VDICore.h: a header, a table with the place of each block, the blocks.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from machine.errors import DriverError

GROWING, FIXED = 1, 2  # kinds of images; the others (undo, differencing) need a second file
LARGEST_BLOCK = 64 << 20  # bytes; VirtualBox makes blocks of 1 MB
MOST_BLOCKS = 32 << 20  # entries of the table: 32 TB at 1 MB each
NOT_THERE = 0xFFFFFFFE  # from here on: a block that was never written, or is all zeros
_AT_ONCE = 1 << 16  # entries of the table that are read at once
_HEAD = 392  # bytes up to the last field that is read


class Content:
    """What an image's file holds: each part of it is used once, so what is unpacked has an end."""

    def __init__(self, file: BinaryIO) -> None:
        self._left = os.fstat(file.fileno()).st_size

    def spend(self, count: int) -> None:
        """For `count` bytes of the file that were used. Raises DriverError if they were used before."""
        self._left -= count
        if self._left < 0:
            raise DriverError(
                "the image holds the same place of its file many times over: it is damaged, or unpacks without end",
                resolution="get it anew, or from somebody else",
            )


def size(file: BinaryIO) -> int:
    """Bytes of the disk that a machine would see. Raises DriverError if the header makes no sense."""
    return _header(file)[2]


def blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(place on the disk, content) of each block that is there; DriverError, struct.error on a damaged image."""
    table, data, disk, block, extra, count = _header(file)
    content = Content(file)
    for first in range(0, count, _AT_ONCE):
        number = min(_AT_ONCE, count - first)
        file.seek(table + 4 * first)
        for index, at in enumerate(struct.unpack(f"<{number}I", file.read(4 * number)), first):
            place = index * block
            if at >= NOT_THERE or place >= disk:
                continue
            file.seek(data + at * (block + extra) + extra)
            found = file.read(block)
            content.spend(len(found))
            yield place, found[: disk - place]


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
