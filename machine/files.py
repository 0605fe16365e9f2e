"""Files of the store are replaced whole or not at all, and are born with their mode.

Imported by the fast commands: needs nothing but `os`.
"""

from __future__ import annotations

import os
import stat

from machine.errors import StoreError

PRIVATE = 0o600
PUBLIC = 0o644
LARGEST = 16 * 2**20  # bytes of a file that is read whole; certificates, keys and records have some KB
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def write(path: str, data: bytes, mode: int = PRIVATE) -> None:
    """Replace `path` by `data`: a temporary file beside it, fsync, rename.

    Whoever reads meanwhile, or after a crash at any moment, sees the old file or the new one. The mode is there before
    the first byte and does not depend on the umask. A directory that is missing is made, 0700. Raises StoreError if the
    disk is full or the place not writable; the old file is then untouched.
    """
    directory = os.path.dirname(path) or "."
    temporary = os.path.join(directory, f".{os.path.basename(path)}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        make_directory(directory)
        _write_new(temporary, data, mode)
        os.replace(temporary, path)
        _sync_directory(directory)
    except OSError as error:
        remove_quietly(temporary)
        raise StoreError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}",
            resolution=in_the_way(path, error)
            or "make room on that disk, or check who owns the directory, then run the command again",
        ) from error
    except BaseException:
        remove_quietly(temporary)
        raise


def read(path: str) -> bytes:
    """The content of `path`, b"" when there is no such file. Raises StoreError if it cannot be read."""
    try:
        return read_plain(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise StoreError(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}",
            resolution=_unreadable_resolution(path)
            if isinstance(error, PermissionError)
            else "put the right file there, or take away what is there; then run the command again",
        ) from error


def _unreadable_resolution(path: str) -> str:
    """What to do about a file that may not be read: its mode is to be changed if its owner is right."""
    try:
        own = os.stat(path).st_uid == os.geteuid()
    except (OSError, AttributeError):  # the directory may not be entered; Windows has no geteuid
        own = False
    if own:
        return f"chmod u+r {path}, then run the command again"
    return f"check who owns the file, and chmod u+rx {os.path.dirname(path)}; the store belongs to the user who made it"


def read_plain(path: str, largest: int = LARGEST) -> bytes:
    """The content of a plain file, or of what a link leads to. Raises OSError, with a reason to show, if there is none.

    A pipe would be waited for and a device never ends, so both are refused, like what is larger than `largest`.
    """
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a plain file", path)
        blocks, remaining = [], largest + 1
        while remaining > 0 and (piece := os.read(descriptor, remaining)):
            blocks.append(piece)
            remaining -= len(piece)
    finally:
        os.close(descriptor)
    if remaining <= 0:
        raise OSError(0, f"it has more than {largest} bytes", path)
    return b"".join(blocks)


def make_directory(path: str) -> None:
    """Make `path` and what is missing above it, each 0700 (os.makedirs gives its mode to the last one only)."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            import errno

            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
        return
    except FileNotFoundError:
        make_directory(os.path.dirname(path) or ".")
        os.makedirs(path, mode=0o700, exist_ok=True)


def need_directory(path: str) -> None:
    """`make_directory` for whoever goes nowhere without it: StoreError."""
    try:
        make_directory(path)
    except OSError as error:
        raise StoreError(
            f"cannot make {path}: {(error.strerror or str(error)).lower()}",
            resolution=in_the_way(path, error) or "make room on that disk, or check who owns the directory above it",
        ) from error


def in_the_way(path: str, error: OSError) -> str:
    """What to do when `error` says that a file is where a directory should be, or the other way round; "" if not."""
    if isinstance(error, IsADirectoryError):
        return f"{path} is a directory: move it away, then run the command again"
    if not isinstance(error, (NotADirectoryError, FileExistsError)):
        return ""
    while path != os.path.dirname(path) and not os.path.lexists(path):
        path = os.path.dirname(path)
    return f"{path} is no directory: choose another store with --storage-path, or move that away if it is in its place"


def leftover(name: str) -> bool:
    """Whether a file's name is that of a `write` which was killed before its end."""
    return name.startswith(".") and name.endswith(".tmp")


def _write_new(path: str, data: bytes, mode: int) -> None:
    """Make `path` with its mode and all of `data`, down on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode & PRIVATE)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, mode)
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(directory: str) -> None:
    """Bring a rename down to the disk, where directories can be synced at all."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:  # Windows opens no directories
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the rename itself is done
        pass
    finally:
        os.close(descriptor)


def remove_quietly(path: str) -> None:
    """Remove a temporary file, while an error is on its way that says more than one of the removal would."""
    try:
        os.unlink(path)
    except OSError:
        return


def only_ours(path: str) -> bool:
    """Whether nobody but this user and root can change the file at `path`, or put another one there."""
    if not hasattr(os, "geteuid"):  # Windows: a mode does not tell
        return True
    *components, file = _path_components(path)
    return not _writable_by_others(os.stat(file), sticky=False) and not any(
        not os.path.islink(place) and _writable_by_others(os.stat(place), sticky=True) for place in components
    )


def anybody_changes(path: str) -> bool:
    """Whether every user of this host can change the file at `path`, put another one there, or may have put this."""
    if not hasattr(os, "geteuid"):
        return False
    *_, file = components = _path_components(path)
    if any(not os.path.islink(place) and _open_to_all(place, is_file=place == file) for place in components):
        return True
    foreign_owner = os.lstat(path).st_uid not in (0, os.geteuid())
    return foreign_owner and _open_to_all(os.path.dirname(os.path.abspath(path)), sticky=True)


def _path_components(path: str) -> list[str]:
    """The directories and links through which one comes to the file at `path`, and at last the file."""
    os.stat(path)  # OSError where links go round
    directory, way = os.sep, [os.sep]
    pending = os.path.abspath(path).split(os.sep)[::-1]
    while pending:
        name = pending.pop()
        if name in ("", os.curdir):
            continue
        way.append(os.path.dirname(directory) if name == os.pardir else os.path.join(directory, name))
        if os.path.islink(way[-1]):
            target = os.readlink(way[-1])
            directory = os.sep if os.path.isabs(target) else directory
            pending += target.split(os.sep)[::-1]
        else:
            directory = way[-1]
    return way


def _open_to_all(path: str, *, is_file: bool = False, sticky: bool = False) -> bool:
    """Whether everybody may write to a file, or make other files in a directory (`sticky`: also only new ones).

    Not so behind a directory that others may not enter.
    """
    mode = os.stat(path).st_mode
    if not mode & stat.S_IWOTH or not (is_file or mode & stat.S_IXOTH) or (mode & stat.S_ISVTX and not sticky):
        return False
    above = path
    while (above := os.path.dirname(above)) != os.path.dirname(above):
        if not os.stat(above).st_mode & stat.S_IXOTH:
            return False
    return True


def _writable_by_others(status: os.stat_result, *, sticky: bool) -> bool:
    """With `sticky`, a directory where everybody may make files but nobody may replace another's counts as ours."""
    shared = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid()))
    return status.st_uid not in (0, os.geteuid()) or bool(shared and not (sticky and status.st_mode & stat.S_ISVTX))
