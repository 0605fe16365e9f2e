"""A client that sends a share's server what it likes: well-formed requests, and others."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from machine.share import protocol
from machine.share.policy import Policy
from machine.share.protocol import Kind, Reader, Status, string, u32, u64
from machine.share.server import Server
from machine.share.tree import Tree

NOTHING = u32(0)  # no attributes


def mode(bits: int) -> bytes:
    """Attributes with permissions only."""
    return u32(4) + u32(bits)


class Conversation:
    """A machine that speaks with the server of one tree."""

    def __init__(self, root: Path, policy: Policy | None = None, *, writable: bool = True) -> None:
        known = policy or Policy(writable=writable)
        self.tree = Tree(os.path.realpath(root), lambda: known)
        self.server = Server(self.tree)

    def close(self) -> None:
        self.server.close()
        self.tree.close()

    def ask(self, kind: int, *fields: bytes) -> tuple[Kind, Reader]:
        """The kind of the answer, and its fields after its number, which must be the request's."""
        answer = self.server.answer(bytes((kind,)) + u32(7) + b"".join(fields))
        reader = Reader(answer)
        assert reader.u32() == len(answer) - 4
        found = Kind(reader.byte())
        assert reader.u32() == 7
        return found, reader

    def status(self, kind: int, *fields: bytes) -> Status:
        """The status of a request that brings nothing else, or that failed; OK for one that brought something."""
        found, reader = self.ask(kind, *fields)
        return Status(reader.u32()) if found is Kind.STATUS else Status.OK

    def open(self, path: bytes, flags: int, attributes: bytes = NOTHING) -> bytes | Status:
        """A handle, or why there is none."""
        found, reader = self.ask(Kind.OPEN, string(path), u32(flags), attributes)
        return reader.string() if found is Kind.HANDLE else Status(reader.u32())

    def handle(self, path: bytes, flags: int, attributes: bytes = NOTHING) -> bytes:
        """A handle; the test fails without one."""
        found = self.open(path, flags, attributes)
        assert isinstance(found, bytes), found
        return found

    def read(self, path: bytes) -> bytes | Status:
        """The start of a file."""
        handle = self.open(path, protocol.READ)
        if isinstance(handle, Status):
            return handle
        found, reader = self.ask(Kind.READ, string(handle), u64(0), u32(65536))
        self.status(Kind.CLOSE, string(handle))
        return reader.string() if found is Kind.DATA else Status(reader.u32())

    def write(self, path: bytes, data: bytes) -> Status:
        """Make a file with this content."""
        handle = self.open(path, protocol.WRITE | protocol.CREATE | protocol.TRUNCATE)
        if isinstance(handle, Status):
            return handle
        written = self.status(Kind.WRITE, string(handle), u64(0), string(data))
        self.status(Kind.CLOSE, string(handle))
        return written

    def list(self, path: bytes) -> set[bytes] | Status:
        """The names in a directory."""
        found, reader = self.ask(Kind.OPENDIR, string(path))
        if found is not Kind.HANDLE:
            return Status(reader.u32())
        handle, names = reader.string(), set()
        while (answer := self.ask(Kind.READDIR, string(handle)))[0] is Kind.NAME:
            for _ in range(answer[1].u32()):
                names.add(answer[1].string())
                answer[1].string()
                answer[1].attributes()
        self.status(Kind.CLOSE, string(handle))
        return names

    def extended(self, name: bytes, *fields: bytes) -> Status:
        return self.status(Kind.EXTENDED, string(name), *fields)

    def rename(self, old: bytes, new: bytes) -> Status:
        return self.extended(b"posix-rename@openssh.com", string(old), string(new))


def names(found: Any) -> Iterable[bytes]:
    """What `list` found; the test fails where it found a status."""
    assert isinstance(found, set), found
    return found
