"""An SFTP server for one tree: a packet in, a packet out. It knows no connection, and believes no number it is sent.

Requests are answered one after the other, so a machine that sends many, or does not read the answers, costs no memory.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from machine.share import protocol
from machine.share.protocol import BadPacket, Kind, Reader, Status, packet, status, string, u32, u64
from machine.share.tree import Tree, split

MOST_HANDLES = 1000  # files and directories that a machine has open at a time; each is a descriptor of ours
NAMES_AT_ONCE = 100  # entries of a directory in one answer
EXTENSIONS = {
    b"posix-rename@openssh.com": b"1",
    b"statvfs@openssh.com": b"2",
    b"hardlink@openssh.com": b"1",
    b"fsync@openssh.com": b"1",
}
_STATUS = {
    errno.ENOENT: Status.NO_SUCH_FILE,
    errno.ENOTDIR: Status.NO_SUCH_FILE,
    errno.ELOOP: Status.NO_SUCH_FILE,
    errno.EACCES: Status.PERMISSION_DENIED,
    errno.EPERM: Status.PERMISSION_DENIED,
    errno.EROFS: Status.PERMISSION_DENIED,
    errno.EOPNOTSUPP: Status.OP_UNSUPPORTED,
}
_Entries = Iterator[tuple[bytes, os.stat_result]]


class _File(NamedTuple):
    """A file that a machine has open, and how it asked for it."""

    descriptor: int
    path: bytes
    flags: int


class Server:
    """One conversation. `close` it at its end, for it holds files open."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._policy = tree.policy()
        self._files: dict[bytes, _File] = {}
        self._directories: dict[bytes, _Entries] = {}
        self._numbers = itertools.count(1)
        self._answers: dict[int, Callable[[int, Reader], bytes]] = {
            Kind.OPEN: self._open,
            Kind.CLOSE: self._close,
            Kind.READ: self._read,
            Kind.WRITE: self._write,
            Kind.LSTAT: self._status,
            Kind.STAT: self._status,  # links are never followed here
            Kind.FSTAT: self._status_open,
            Kind.SETSTAT: self._set,
            Kind.FSETSTAT: self._set_open,
            Kind.OPENDIR: self._open_directory,
            Kind.READDIR: self._read_directory,
            Kind.REMOVE: self._remove,
            Kind.MKDIR: self._make_directory,
            Kind.RMDIR: self._remove_directory,
            Kind.REALPATH: self._real_path,
            Kind.RENAME: self._rename,
            Kind.READLINK: self._read_link,
            Kind.SYMLINK: self._make_link,
            Kind.EXTENDED: self._extended,
        }

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a packet without its length. Raises BadPacket if it has not even a number."""
        reader = Reader(request)
        kind = reader.byte()
        if kind == Kind.INIT:
            fields = (field for pair in EXTENSIONS.items() for field in pair)
            return packet(Kind.VERSION, u32(protocol.VERSION), *map(string, fields))
        number = reader.u32()
        act = self._answers.get(kind)
        if act is None:
            return status(number, Status.OP_UNSUPPORTED)
        try:
            self._close_refused()
            return act(number, reader)
        except BadPacket as error:
            return status(number, Status.BAD_MESSAGE, str(error))
        except OSError as error:
            return status(number, _STATUS.get(error.errno or 0, Status.FAILURE), error.strerror or "")
        except (OverflowError, ValueError) as error:  # a number that no system call takes
            return status(number, Status.FAILURE, str(error))

    def close(self) -> None:
        """Close what the machine has open."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                os.close(file.descriptor)
        for entries in self._directories.values():
            _end(entries)
        self._files, self._directories = {}, {}

    def _close_refused(self) -> None:
        """Close what was opened by an earlier policy and would be refused now, by the path that it was opened at."""
        policy = self._tree.policy()
        if policy is self._policy:
            return
        self._policy = policy
        for handle, file in list(self._files.items()):
            if not self._tree.allows(file.path, file.flags):
                os.close(self._files.pop(handle).descriptor)

    def _new_handle(self) -> bytes:
        if len(self._files) + len(self._directories) >= MOST_HANDLES:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return str(next(self._numbers)).encode()

    def _open(self, number: int, reader: Reader) -> bytes:
        handle = self._new_handle()
        path, flags, wanted = reader.string(), reader.u32(), reader.attributes()
        self._files[handle] = _File(self._tree.open(path, flags, wanted), path, flags)
        return packet(Kind.HANDLE, u32(number), string(handle))

    def _open_directory(self, number: int, reader: Reader) -> bytes:
        handle = self._new_handle()
        self._directories[handle] = self._tree.names(reader.string())
        return packet(Kind.HANDLE, u32(number), string(handle))

    def _close(self, number: int, reader: Reader) -> bytes:
        handle = reader.string()
        if handle in self._directories:
            _end(self._directories.pop(handle))
        elif handle in self._files:
            os.close(self._files.pop(handle).descriptor)
        else:
            raise BadPacket("no such handle")
        return status(number, Status.OK)

    def _read(self, number: int, reader: Reader) -> bytes:
        descriptor, offset, length = self._file(reader), reader.u64(), reader.u32()
        data = os.pread(descriptor, min(length, protocol.LARGEST_READ), offset)
        return packet(Kind.DATA, u32(number), string(data)) if data or not length else status(number, Status.EOF)

    def _write(self, number: int, reader: Reader) -> bytes:
        descriptor, offset, data = self._file(reader), reader.u64(), memoryview(reader.string())
        while data:
            written = os.pwrite(descriptor, data, offset)
            offset, data = offset + written, data[written:]
        return status(number, Status.OK)

    def _status(self, number: int, reader: Reader) -> bytes:
        return packet(Kind.ATTRS, u32(number), protocol.attributes(self._tree.status(reader.string())))

    def _status_open(self, number: int, reader: Reader) -> bytes:
        return packet(Kind.ATTRS, u32(number), protocol.attributes(os.fstat(self._file(reader))))

    def _set(self, number: int, reader: Reader) -> bytes:
        self._tree.set(reader.string(), reader.attributes())
        return status(number, Status.OK)

    def _set_open(self, number: int, reader: Reader) -> bytes:
        self._tree.set_open(self._file(reader), reader.attributes())
        return status(number, Status.OK)

    def _read_directory(self, number: int, reader: Reader) -> bytes:
        entries = self._directories.get(reader.string())
        if entries is None:
            raise BadPacket("no such handle")
        found = list(itertools.islice(entries, NAMES_AT_ONCE))
        if not found:
            return status(number, Status.EOF)
        fields = [
            field
            for name, about in found
            for field in (string(name), string(protocol.long_name(name, about)), protocol.attributes(about))
        ]
        return packet(Kind.NAME, u32(number), u32(len(found)), *fields)

    def _remove(self, number: int, reader: Reader) -> bytes:
        self._tree.remove(reader.string())
        return status(number, Status.OK)

    def _make_directory(self, number: int, reader: Reader) -> bytes:
        self._tree.make_directory(reader.string(), reader.attributes())
        return status(number, Status.OK)

    def _remove_directory(self, number: int, reader: Reader) -> bytes:
        self._tree.remove_directory(reader.string())
        return status(number, Status.OK)

    def _real_path(self, number: int, reader: Reader) -> bytes:
        """By its name alone: no link is followed."""
        path = b"/" + b"/".join(split(reader.string()))
        return packet(Kind.NAME, u32(number), u32(1), string(path), string(path), u32(0))

    def _rename(self, number: int, reader: Reader) -> bytes:
        self._tree.rename(reader.string(), reader.string(), replace=False)
        return status(number, Status.OK)

    def _read_link(self, number: int, reader: Reader) -> bytes:
        text = self._tree.read_link(reader.string())
        return packet(Kind.NAME, u32(number), u32(1), string(text), string(text), u32(0))

    def _make_link(self, number: int, reader: Reader) -> bytes:
        """In OpenSSH's order, in which all clients send it: the text first (its file PROTOCOL, section 4.1)."""
        self._tree.make_link(reader.string(), reader.string())
        return status(number, Status.OK)

    def _extended(self, number: int, reader: Reader) -> bytes:
        name = reader.string()
        if name == b"posix-rename@openssh.com":
            self._tree.rename(reader.string(), reader.string(), replace=True)
        elif name == b"hardlink@openssh.com":
            self._tree.link(reader.string(), reader.string())
        elif name == b"fsync@openssh.com":
            os.fsync(self._file(reader))
        elif name == b"statvfs@openssh.com":
            return _space(number, self._tree.space())
        else:
            return status(number, Status.OP_UNSUPPORTED)
        return status(number, Status.OK)

    def _file(self, reader: Reader) -> int:
        """The descriptor of the handle that comes next. Raises BadPacket for one that there is not."""
        file = self._files.get(reader.string())
        if file is None:
            raise BadPacket("no such handle")
        return file.descriptor


def _space(number: int, found: os.statvfs_result) -> bytes:
    """The answer of statvfs@openssh.com: eleven numbers; the kind of the file system is nobody's business."""
    numbers = (found.f_bsize, found.f_frsize, found.f_blocks, found.f_bfree, found.f_bavail, found.f_files)
    more = (found.f_ffree, found.f_favail, 0, found.f_flag & 3, found.f_namemax)  # 3: read-only, no setuid
    return packet(Kind.EXTENDED_REPLY, u32(number), *map(u64, (*numbers, *more)))


def _end(entries: _Entries) -> None:
    close = getattr(entries, "close", None)
    if close is not None:
        close()
