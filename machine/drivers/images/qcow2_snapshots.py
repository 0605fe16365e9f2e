"""The table of snapshots in a qcow2 image: how large the disk was at each, which qemu-img does not tell.

The format: https://www.qemu.org/docs/master/interop/qcow2.html, "Snapshots".
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from machine.drivers.images.qcow2 import MAGIC, MOST_SNAPSHOTS
from machine.errors import DriverError, reason_of

_HEAD = struct.Struct(">QIHHIIQII")  # of an entry; then as many bytes as it says: more numbers, its id, its name
_MOST_EXTRA = 1024  # bytes of more numbers: qemu takes no more


def disk_size(path: str, name: str) -> int:
    """Return the bytes of the disk at the snapshot `name`; 0 if there is none, or the image does not say.

    Raises DriverError if the image cannot be read or its table is damaged.
    """
    try:
        with open(path, "rb") as file:
            return _find(file, name.encode())
    except (OSError, struct.error) as error:
        why = reason_of(error) if isinstance(error, OSError) else "its list of snapshots is damaged"
        raise DriverError(f"{path} cannot be read: {why}") from error


def _find(file: BinaryIO, wanted: bytes) -> int:
    head = file.read(72)
    count, place = struct.unpack_from(">IQ", head, 60) if head.startswith(MAGIC) else (0, 0)
    for _ in range(min(count, MOST_SNAPSHOTS)):
        file.seek(place)
        entry = _HEAD.unpack(file.read(_HEAD.size))
        id_long, name_long, extra_long = entry[2], entry[3], entry[8]
        if extra_long > _MOST_EXTRA:
            raise struct.error
        extra, rest = file.read(extra_long), file.read(id_long + name_long)
        if rest[id_long:] == wanted:
            return int(struct.unpack_from(">Q", extra, 8)[0]) if extra_long >= 16 else 0
        place += _HEAD.size + extra_long + id_long + name_long + 7 & ~7
    return 0
