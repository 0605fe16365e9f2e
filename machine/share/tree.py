"""A directory of this computer as a machine may use it: nothing outside of it is ever reached.

A path of a request is walked from the root's descriptor, one component after the other, and no link is followed: links
are given out as links, which the machine follows inside itself. What is done is done to a name in a directory that is
open, so a path that changes meanwhile leads nowhere else. `..` is refused. Only directories and plain files are opened:
a pipe or a device could block or act. A machine changes neither owners nor the bits for other identities (setuid ...).

Raises OSError for what a request cannot have; `errno` says why, as a file system would.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from machine.share.policy import Policy, Verdict
from machine.share.protocol import APPEND, CREATE, EXCLUSIVE, READ, TRUNCATE, WRITE, Attributes

LONGEST_PATH, LONGEST_NAME, DEEPEST = 4096, 255, 256  # bytes, bytes, components
PERMISSIONS = 0o777  # of a mode: without setuid, setgid and sticky
_LOOK = getattr(os, "O_PATH", os.O_RDONLY)  # opens a directory that may be entered and not read; macOS has no such flag
_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = _SAFE | os.O_NONBLOCK | os.O_NOCTTY
Path = tuple[bytes, ...]


class Place(NamedTuple):
    """Where something is or is to be: its name in a directory that is open, its path, and what may be done with it."""

    directory: int
    name: bytes
    parts: Path
    verdict: Verdict = Verdict.FREE


class Tree:
    """The directory `root`, an absolute path without links, which is open as long as this is.

    `policy` is asked again and again, and may change. Raises OSError if there is no such directory, or a link on the
    way to it.
    """

    def __init__(self, root: str, policy: Callable[[], Policy]) -> None:
        self._root = _open_root(root)
        self.policy = policy

    def close(self) -> None:
        os.close(self._root)

    def status(self, path: bytes) -> os.stat_result:
        """What is at a path; of a link the link itself."""
        with self._place(path) as place:
            return self._stat(place)

    def names(self, path: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
        """The entries of a directory, which is opened now and read when they are taken. Close the iterator."""
        parts = split(path)
        descriptor = self._directory(parts)
        try:
            opened = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        entries = self._entries(opened, parts)
        next(entries)  # up to its `try`: from here on closing it closes the descriptor
        return entries  # type: ignore[return-value]  # the first, None, has been taken

    def _entries(self, directory: int, parts: Path) -> Iterator[tuple[bytes, os.stat_result] | None]:
        try:
            yield None
            with os.scandir(directory) as listed:
                for entry in listed:
                    name = os.fsencode(entry.name)
                    if self.policy().verdict((*parts, name)) is Verdict.HIDDEN:
                        continue
                    try:
                        found = self._stat(Place(directory, name, (*parts, name)))
                    except OSError:  # it is gone by now, or a hidden one under another name
                        continue
                    yield name, found
        finally:
            os.close(directory)

    def open(self, path: bytes, flags: int, wanted: Attributes) -> int:
        """A descriptor of a plain file, made first if the flags of OPEN say so. O_NONBLOCK means nothing to it."""
        change = changes(flags)
        with self._place(path, change=change) as place:
            mode = os.O_RDONLY if not flags & WRITE else os.O_RDWR if flags & READ else os.O_WRONLY
            mode |= os.O_APPEND if flags & APPEND and flags & WRITE else 0
            mode |= os.O_CREAT if flags & CREATE else 0
            mode |= os.O_EXCL if flags & CREATE and flags & EXCLUSIVE else 0
            self._check_plain(place, missing_is_fine=bool(flags & CREATE) and place.verdict is Verdict.FREE)
            permissions = 0o644 if wanted.mode is None else wanted.mode & PERMISSIONS
            descriptor = os.open(place.name, mode | _OPEN, permissions, dir_fd=place.directory)
            try:
                _require_plain(self._visible(os.fstat(descriptor), place.parts), place.name)
                if flags & TRUNCATE and change:
                    os.ftruncate(descriptor, 0)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

    def allows(self, path: bytes, flags: int) -> bool:
        """Whether the policy lets a file at this path be open like that, as it is now."""
        verdict = self.policy().verdict(split(path))
        return verdict is Verdict.FREE if changes(flags) else verdict is not Verdict.HIDDEN

    def set(self, path: bytes, wanted: Attributes) -> None:
        """Change size, mode and times of a directory or plain file; the times of a link, too."""
        with self._place(path, change=True, stays=True) as place:
            found = self._stat(place)
            _check_owner(found, wanted)
            if place.name == b"." or place.verdict is Verdict.PARENT:  # writable by all, it would let other users in
                _check_mode_stays(found, wanted)
            if wanted.size is not None:
                self._check_plain(place, missing_is_fine=False)
                descriptor = os.open(place.name, os.O_WRONLY | _OPEN, dir_fd=place.directory)
                try:
                    self.set_open(descriptor, Attributes(size=wanted.size))
                finally:
                    os.close(descriptor)
            if wanted.mode is not None:
                _change_mode(place.directory, place.name, wanted.mode & PERMISSIONS)
            if wanted.times is not None:
                os.utime(place.name, wanted.times, dir_fd=place.directory, follow_symlinks=False)

    def set_open(self, descriptor: int, wanted: Attributes) -> None:
        """Change what `set` changes, of a file that is open for writing: only such a one was found to be changeable."""
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise PermissionError(errno.EACCES, "the file is open for reading")
        found = os.fstat(descriptor)
        _check_owner(found, wanted)
        if wanted.size is not None:
            _require_plain(found, b"")
            os.ftruncate(descriptor, wanted.size)
        if wanted.mode is not None:
            os.fchmod(descriptor, wanted.mode & PERMISSIONS)
        if wanted.times is not None:
            os.utime(descriptor, wanted.times)

    def make_directory(self, path: bytes, wanted: Attributes) -> None:
        with self._place(path, change=True, stays=True) as place:
            most = 0o755 if place.verdict is Verdict.PARENT else PERMISSIONS
            os.mkdir(place.name, 0o755 if wanted.mode is None else wanted.mode & most, dir_fd=place.directory)

    def remove_directory(self, path: bytes) -> None:
        with self._place(path, change=True) as place:
            self._stat(place)
            os.rmdir(place.name, dir_fd=place.directory)

    def remove(self, path: bytes) -> None:
        with self._place(path, change=True) as place:
            self._stat(place)
            os.unlink(place.name, dir_fd=place.directory)

    def rename(self, old: bytes, new: bytes, *, replace: bool) -> None:
        """Move what is at `old`; with `replace` to the place of what is at `new`."""
        with self._place(old, change=True) as source, self._place(new, change=True) as target:
            self._stat(source)
            if _exists(target):
                self._stat(target)
                if not replace:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(source.name, target.name, src_dir_fd=source.directory, dst_dir_fd=target.directory)

    def link(self, old: bytes, new: bytes) -> None:
        """Give a plain file one more name."""
        with self._place(old, change=True) as source, self._place(new, change=True) as target:
            self._check_plain(source, missing_is_fine=False)
            os.link(
                source.name,
                target.name,
                src_dir_fd=source.directory,
                dst_dir_fd=target.directory,
                follow_symlinks=False,
            )

    def make_link(self, text: bytes, path: bytes) -> None:
        """Make a symbolic link with this text, whatever that leads to: here nothing follows it."""
        if not text or len(text) > LONGEST_PATH or b"\0" in text:
            raise OSError(errno.ENAMETOOLONG, "not the text of a link")
        with self._place(path, change=True) as place:
            os.symlink(text, place.name, dir_fd=place.directory)

    def read_link(self, path: bytes) -> bytes:
        with self._place(path) as place:
            return os.readlink(place.name, dir_fd=place.directory)

    def space(self) -> os.statvfs_result:
        """The room on the file system of the root."""
        return os.statvfs(self._root)

    @contextmanager
    def _place(self, path: bytes, *, change: bool = False, stays: bool = False) -> Iterator[Place]:
        """The place of a path, whose directory is open for as long.

        `change`: it is about to be made, changed, replaced, moved or removed; with `stays` it is there afterwards.
        """
        parts = split(path)
        verdict = self.policy().verdict(parts)
        if change:
            _check_change(parts, verdict, stays=stays)
        if verdict is Verdict.HIDDEN:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        directory = self._directory(parts[:-1])
        try:
            yield Place(directory, parts[-1] if parts else b".", parts, verdict)
        finally:
            os.close(directory)

    def _directory(self, parts: Path) -> int:
        """A descriptor of a directory below the root, for the caller to close. It may serve for looking only."""
        if parts and self.policy().verdict(parts) is Verdict.HIDDEN:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        current = os.dup(self._root)
        try:
            for length, part in enumerate(parts, 1):
                following = os.open(part, _LOOK | os.O_DIRECTORY | _SAFE, dir_fd=current)
                os.close(current)
                current = following
                self._visible(os.fstat(current), parts[:length])
                _require_no_store(current)
        except BaseException:
            os.close(current)
            raise
        return current

    def _visible(self, found: os.stat_result, parts: Path) -> os.stat_result:
        if self.policy().hides(found, parts):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return found

    def _stat(self, place: Place) -> os.stat_result:
        """What is at a place. Raises FileNotFoundError if that is a hidden one, or nothing."""
        return self._visible(os.stat(place.name, dir_fd=place.directory, follow_symlinks=False), place.parts)

    def _check_plain(self, place: Place, *, missing_is_fine: bool) -> None:
        """Raise OSError for what is not a plain file, before it is opened: opening a device may act."""
        try:
            found = self._stat(place)
        except FileNotFoundError:
            if missing_is_fine and not _exists(place):
                return
            raise
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _require_plain(found, place.name)


def _require_no_store(directory: int) -> None:
    """Raise FileNotFoundError for a store of machines: each command may have another one, and nobody lists them."""
    if all(os.access(name, os.F_OK, dir_fd=directory) for name in (b"certs/ca-key.pem", b"machines")):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _open_root(root: str) -> int:
    """A descriptor of a directory by its absolute path, on which there is no link: one came later than the share."""
    current = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    parts = [part for part in root.split("/") if part]
    for at, part in enumerate(parts):
        look = os.O_RDONLY if at == len(parts) - 1 else _LOOK
        try:
            following = os.open(part, look | os.O_DIRECTORY | _SAFE, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current


def split(path: bytes) -> Path:
    """The components of a path of a request, () for the root. Raises OSError for one that is not to be walked."""
    if b"\0" in path or len(path) > LONGEST_PATH:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    parts = tuple(part for part in path.split(b"/") if part not in (b"", b"."))
    if b".." in parts:
        raise PermissionError(errno.EACCES, "no .. in a path")
    if len(parts) > DEEPEST or any(len(part) > LONGEST_NAME for part in parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    return parts


def changes(flags: int) -> bool:
    """Whether the flags of OPEN are those of somebody who changes the file."""
    return bool(flags & (WRITE | APPEND | CREATE | TRUNCATE))


def _check_change(parts: Path, verdict: Verdict, *, stays: bool) -> None:
    if verdict is not Verdict.FREE and not (stays and verdict is Verdict.PARENT):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if not parts and not stays:
        raise OSError(errno.EBUSY, "the root of the share stays")


def _exists(place: Place) -> bool:
    try:
        os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _require_plain(found: os.stat_result, name: bytes) -> None:
    """Raise PermissionError for what is not a plain file."""
    if not stat.S_ISREG(found.st_mode):
        raise PermissionError(errno.EACCES, f"neither a directory nor a plain file: {os.fsdecode(name)}")


def _check_owner(found: os.stat_result, wanted: Attributes) -> None:
    """Raise PermissionError unless the owner that is wanted is the one that is there."""
    if wanted.owner not in (None, (found.st_uid, found.st_gid)):
        raise PermissionError(errno.EPERM, "the owners of a share's files stay")


def _check_mode_stays(found: os.stat_result, wanted: Attributes) -> None:
    """Raise PermissionError unless the mode that is wanted, if any, is the one that is there."""
    if wanted.mode is not None and (wanted.mode ^ found.st_mode) & PERMISSIONS:
        raise PermissionError(errno.EPERM, "the mode of this directory stays")


def _change_mode(directory: int, name: bytes, mode: int) -> None:
    """Change the mode of a directory or plain file; never that of what a link leads to."""
    if os.chmod in os.supports_follow_symlinks:  # macOS
        os.chmod(name, mode, dir_fd=directory, follow_symlinks=False)
        return
    descriptor = os.open(name, _LOOK | _SAFE, dir_fd=directory)  # a file that its owner may not read is opened, too
    try:
        if not (stat.S_ISDIR(kind := os.fstat(descriptor).st_mode) or stat.S_ISREG(kind)):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)
