"""Unpack the payload of machine.pyz, on its first start. It comes in the zip, and needs nothing else."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence

PAYLOAD = "payload.zip"
UNFINISHED = ".unpacking-"
DAY = 86400


def unpack(archive: str, digest: str, parts: Sequence[str], place: str) -> None:
    """Unpack the parts into `place`, whole or not at all.

    Raises OSError if that cannot be done: the file is damaged, the cache belongs to somebody else, the disk is full.
    """
    with zipfile.ZipFile(archive) as outer:
        try:
            payload = outer.read(PAYLOAD)
        except (zipfile.BadZipFile, KeyError, EOFError):
            payload = b""
    if hashlib.sha256(payload).hexdigest() != digest:
        raise OSError(errno.EIO, "it is damaged", archive)
    parent = private_parent(os.path.dirname(place))
    sweep(parent)
    unfinished = tempfile.mkdtemp(prefix=UNFINISHED, dir=parent)  # mode 0700
    try:
        extract(payload, parts, unfinished)
        rename(unfinished, place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # renamed it is gone


def private_parent(parent: str) -> str:
    """Make the cache's directory; return it. Raises PermissionError where another user could put something into it."""
    os.makedirs(os.path.dirname(parent), mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(parent, 0o700)
    found = os.lstat(parent)
    if (found.st_mode & 0o170022) != 0o040000 or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "others than this user may write to it; remove it", parent)
    return parent


def extract(payload: bytes, parts: Sequence[str], target: str) -> None:
    """Write the files of some parts to `target`, without the part's name. Raises OSError for a name that leads out."""
    with zipfile.ZipFile(io.BytesIO(payload)) as inner:
        for entry in inner.infolist():
            part, _, name = entry.filename.partition("/")
            if part not in parts:
                continue
            pieces = name.split("/")
            if ".." in pieces or "" in pieces:
                raise OSError(errno.EIO, "it is damaged", entry.filename)
            path = os.path.join(target, *pieces)
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(path, "xb") as file:
                file.write(inner.read(entry))


def damaged(archive: str, parts: Sequence[str], place: str, *, contents: bool) -> str:
    """The first file of these parts that is missing in `place`, or has another size than it shall have; "" for none.

    With `contents` also one of another content.
    """
    with zipfile.ZipFile(archive) as outer, outer.open(PAYLOAD) as payload, zipfile.ZipFile(payload) as inner:
        for entry in inner.infolist():
            part, _, name = entry.filename.partition("/")
            if part not in parts:
                continue
            path = os.path.join(place, *name.split("/"))
            try:
                if os.path.getsize(path) != entry.file_size or (contents and checksum(path) != entry.CRC):
                    return path
            except OSError:
                return path
    return ""


def checksum(path: str) -> int:
    """The CRC-32 of a file, as a zip has it."""
    with open(path, "rb") as file:
        return zlib.crc32(file.read())


def remove(place: str) -> None:
    """Remove an unpacked program, first of all its name: nobody takes what is left for whole. Raises OSError."""
    aside = tempfile.mkdtemp(prefix=UNFINISHED, dir=os.path.dirname(place))
    os.rename(place, aside)  # onto an empty directory
    shutil.rmtree(aside, ignore_errors=True)


def rename(unfinished: str, place: str) -> None:
    """Give the finished directory its name, unless another process was faster: both have the same content."""
    try:
        os.rename(unfinished, place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def sweep(parent: str) -> None:
    """Remove what killed processes began to unpack a day ago or earlier. Whole versions stay: they may run."""
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        try:
            if name.startswith(UNFINISHED) and os.lstat(path).st_mtime < time.time() - DAY:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # another process removes it at this moment
