"""The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), read with bounds and written. Pure."""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from enum import IntEnum

VERSION = 3
LARGEST_PACKET = 320 << 10  # bytes, after the length; OpenSSH's server takes 256 KiB and a header
LARGEST_READ = 256 << 10  # bytes of one answer
LONGEST_STRING = LARGEST_PACKET
_U32, _U64 = struct.Struct(">I"), struct.Struct(">Q")


class Kind(IntEnum):
    """The first byte of a packet."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Status(IntEnum):
    """How a request ended."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    OP_UNSUPPORTED = 8


READ, WRITE, APPEND, CREATE, TRUNCATE, EXCLUSIVE = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20  # flags of OPEN
_SIZE, _OWNER, _PERMISSIONS, _TIMES, _EXTENDED = 0x1, 0x2, 0x4, 0x8, 0x80000000  # flags of attributes
_MOST_EXTENSIONS = 16  # of one set of attributes


class BadPacket(Exception):
    """A packet that is not as the protocol says."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request wants to set; None: leave it as it is."""

    size: int | None = None
    owner: tuple[int, int] | None = None
    mode: int | None = None
    times: tuple[int, int] | None = None  # of the last access and change, seconds since 1970


class Reader:
    """The fields of one packet, in their order. Every method raises BadPacket when the packet is too short for it."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self) -> int:
        return self._take(1)[0]

    def u32(self) -> int:
        found: int = _U32.unpack(self._take(4))[0]
        return found

    def u64(self) -> int:
        found: int = _U64.unpack(self._take(8))[0]
        return found

    def string(self) -> bytes:
        return self._take(self.u32())

    def attributes(self) -> Attributes:
        flags = self.u32()
        size = self.u64() if flags & _SIZE else None
        owner = (self.u32(), self.u32()) if flags & _OWNER else None
        mode = self.u32() if flags & _PERMISSIONS else None
        times = (self.u32(), self.u32()) if flags & _TIMES else None
        if flags & _EXTENDED:
            if (count := self.u32()) > _MOST_EXTENSIONS:
                raise BadPacket(f"{count} extended attributes")
            for _ in range(2 * count):
                self.string()
        return Attributes(size, owner, mode, times)

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise BadPacket(f"{end - len(self._data)} bytes are missing")
        taken = self._data[self._at : end]
        self._at = end
        return taken


def u32(number: int) -> bytes:
    return _U32.pack(number)


def u64(number: int) -> bytes:
    return _U64.pack(number)


def string(text: bytes) -> bytes:
    return _U32.pack(len(text)) + text


def packet(kind: Kind, *fields: bytes) -> bytes:
    """A packet with its length before it."""
    content = b"".join(fields)
    return b"".join((_U32.pack(len(content) + 1), bytes((kind,)), content))


def status(number: int, code: Status, text: str = "") -> bytes:
    """The answer to request `number` that says how it ended."""
    return packet(
        Kind.STATUS, u32(number), u32(code), string((text or code.name).encode("utf-8", "replace")), string(b"")
    )


def attributes(found: os.stat_result) -> bytes:
    """Size, owner, mode with the kind of file, and times."""
    times = (min(max(int(seconds), 0), 0xFFFFFFFF) for seconds in (found.st_atime, found.st_mtime))
    owner = (found.st_uid & 0xFFFFFFFF, found.st_gid & 0xFFFFFFFF)
    fields = (*owner, found.st_mode, *times)
    return struct.pack(">IQ5I", _SIZE | _OWNER | _PERMISSIONS | _TIMES, found.st_size, *fields)


def long_name(name: bytes, found: os.stat_result) -> bytes:
    """A line as of `ls -l` for a listing; programs read the attributes beside it."""
    return f"{stat.filemode(found.st_mode)} {found.st_nlink} {found.st_size} ".encode() + name
