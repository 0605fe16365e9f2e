"""The header of a qcow2 image, read and checked without any other program; and what in it points outside of the file.

The format: https://www.qemu.org/docs/master/interop/qcow2.html. Only the first cluster is read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from machine.errors import DriverError

MAGIC = b"QFI\xfb"
SMALLEST, LARGEST = 9, 21  # bits of a cluster's size that the format allows
DIRTY, CORRUPT, DATA_FILE, COMPRESSION, EXTENDED_L2 = 1, 2, 4, 8, 16  # incompatible features
KNOWN = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2
BACKING_FORMAT, DATA_FILE_NAME, ENCRYPTION = 0xE2792ACA, 0x44415441, 0x0537BE77  # kinds of header extensions
MOST_TABLE = 32 << 20  # bytes of the first-level table, and of the table of references: qemu takes no larger ones
MOST_SNAPSHOTS = 256  # each is read into memory whenever the image is opened
_V2, _V3 = 72, 104  # bytes of the header
_NAME_LIMIT = 1023  # bytes of the name of a backing file


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says. Sizes and places are in bytes; `base` is the backing file's name, "" for none.

    `problems` says in words why no machine may use the image; empty when it is sound and stands alone, its base apart.
    """

    size: int  # of the disk that the machine sees
    cluster_bits: int
    features: int  # the incompatible ones
    encrypted: bool
    entries: int  # of the first-level table
    table: int  # where that is
    base: str = ""
    base_format: str = ""
    problems: tuple[str, ...] = ()

    @property
    def needed_entries(self) -> int:
        """Entries of the first-level table that the disk's size needs; a header may claim more."""
        per_table = (1 << self.cluster_bits) // 8 << self.cluster_bits
        return min(self.entries, -(-self.size // per_table))


def read(file: BinaryIO) -> Header:
    """The header of the qcow2 image that is open as `file`. Raises DriverError if it is cut short or no such header."""
    length = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = file.read(_V3)
    if len(head) < _V2 or not head.startswith(MAGIC):
        raise DriverError("its header is cut short")
    version, base_at, base_length, bits, size, crypt, entries, table, refs, ref_clusters, snapshots, snapshots_at = (
        struct.unpack_from(">IQIIQIIQQIIQ", head, 4)
    )
    if version not in (2, 3) or (version == 3 and len(head) < _V3):
        raise DriverError(f"it is qcow2 of version {version}, not 2 or 3")
    if not SMALLEST <= bits <= LARGEST:
        raise DriverError("its clusters have an odd size")
    features, header_length = (0, _V2) if version == 2 else (struct.unpack_from(">Q", head, 72)[0], _uint(head, 100))
    file.seek(0)
    first = file.read(1 << bits)
    extensions = dict(_extensions(first, header_length, base_at))
    inside = {
        "its table of clusters": (table, 8 * entries),
        "its table of references": (refs, ref_clusters << bits),
        "its list of snapshots": (snapshots_at, 1 if snapshots else 0),
    }
    problems = [
        *_feature_problems(features, version, header_length, 1 << bits),
        *(["is encrypted"] if crypt or ENCRYPTION in extensions else []),
        *(["has its data in another file"] if DATA_FILE_NAME in extensions and not features & DATA_FILE else []),
        *(["has no size"] if not size else []),
        *(["has too many snapshots"] if snapshots > MOST_SNAPSHOTS else []),
        *(
            f"is damaged: {what} is not in the file"
            for what, (at, long) in inside.items()
            if long and (at + long > length + (1 << bits) or at < header_length or long > MOST_TABLE)
        ),
    ]
    base = first[base_at : base_at + min(base_length, _NAME_LIMIT)].decode("utf-8", "replace") if base_at else ""
    return Header(
        size=size,
        cluster_bits=bits,
        features=features,
        encrypted=bool(crypt),
        entries=entries,
        table=table,
        base=base if not base_at else base or "(a name that cannot be read)",
        base_format=extensions.get(BACKING_FORMAT, b"").decode("ascii", "replace"),
        problems=tuple(problems),
    )


def _feature_problems(features: int, version: int, header_length: int, cluster: int) -> Iterator[str]:
    if features & DATA_FILE:
        yield "has its data in another file"
    if features & DIRTY:
        yield "was not closed properly (qemu-img check -r all repairs it)"
    if features & CORRUPT:
        yield "is marked as corrupt (qemu-img check -r all may repair it)"
    if features & ~KNOWN:
        yield "has features that are not known here"
    if version == 3 and (not _V3 <= header_length <= cluster or header_length % 8):
        yield "is damaged: the length of its header makes no sense"


def _extensions(first: bytes, header_length: int, base_at: int) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of each header extension in the first cluster; kind 0 ends them, and so does nonsense."""
    end = base_at if header_length < base_at < len(first) else len(first)
    place = header_length
    while place + 8 <= end:
        kind, long = struct.unpack_from(">II", first, place)
        if not kind or place + 8 + long > len(first):
            return
        yield kind, first[place + 8 : place + 8 + long]
        place += 8 + (long + 7 & ~7)


def _uint(data: bytes, place: int) -> int:
    return int(struct.unpack_from(">I", data, place)[0])
