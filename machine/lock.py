"""One holder at a time, across processes and threads: advisory locks on files.

The file stays when the lock is given back, unless its holder drops it: whoever waited for that one notices and
takes the new one. Its text says who holds it. A process that dies, in whatever way, gives its locks back.
Programs started meanwhile do not inherit them. Imported by the fast commands: needs `os` and `time` only.
"""

from __future__ import annotations

import os
import stat
import sys
import time

from machine import files
from machine.errors import LockHeld, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType

QUIET_SECONDS = 2.0  # seconds of waiting that need no word
_POLL_SECONDS = 0.05  # seconds between two tries while there is a deadline
_FAR = 1 << 30  # on Windows the locked byte lies beyond the text, so that others can read who holds it


def hold(
    path: str, *, seconds: float | None = None, what: str, say: Callable[[str], None] | None = None
) -> AbstractContextManager[None]:
    """Hold the lock `path` inside a `with`. Not to be taken twice by one thread: it would wait for itself.

    `seconds` is how long to wait for another holder (None: as long as it takes; 0: one try). `what` says in a few words
    what the lock is for, to be shown to whoever waits. `say`, if given, is told once what is waited for when that takes
    longer than QUIET_SECONDS. Raises LockHeld after the deadline, naming the holder. Raises StoreError if the lock file
    cannot be made. Missing directories are made, 0700.
    """
    return _Hold(path, seconds, what, say)


def of_user(name: str) -> str:
    """The path of a lock that holds for this user in all stores: on what a hypervisor keeps once for a user, say.

    It lies where nobody else may write. Raises StoreError if somebody has taken that place.
    """
    if os.name == "nt":
        return os.path.join(os.path.expanduser("~"), ".docker", "machine", "locks", name + ".lock")
    directory = f"/tmp/machine-{os.getuid()}-locks"  # noqa: S108 (made 0700, owner checked)
    files.make_directory(directory)
    status = os.lstat(directory)
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or not stat.S_ISDIR(status.st_mode):
        raise StoreError(
            f"{directory} is not safe for locks: others own it or may enter it", resolution=f"sudo rm -r {directory}"
        )
    return os.path.join(directory, name + ".lock")


def drop(path: str) -> None:
    """Remove the lock's file; only for its holder. Where open files cannot be removed (Windows) it stays."""
    try:
        os.unlink(path)
    except OSError:
        return


def holder(path: str) -> str:
    """The id of the process that holds the lock `path` now ("unknown" if it did not sign), "" if none does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return ""
    try:
        if take(descriptor, shared=True):
            release(descriptor)
            return ""
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    pid = _signature(path).partition(" ")[0]
    return pid if pid.isdigit() else "unknown"


def holder_and_purpose(path: str) -> tuple[str, str]:
    """The id of the process that holds the lock `path` now, and what for; ("", "") if none does or it did not sign."""
    pid, _, what = _signature(path).partition(" ")
    return (pid, what) if pid.isdigit() and holder(path) == pid else ("", "")


class _Hold:
    """The context manager behind `hold`."""

    def __init__(self, path: str, seconds: float | None, what: str, say: Callable[[str], None] | None) -> None:
        self._path, self._seconds, self._what, self._say = path, seconds, what, say
        self._descriptor = -1
        self._silent_until = 0.0

    def __enter__(self) -> None:
        deadline = None if self._seconds is None else time.monotonic() + self._seconds
        self._silent_until = time.monotonic() + QUIET_SECONDS
        while True:
            self._descriptor = open_file(self._path)
            try:
                self._acquire(deadline)
                if is_open_file(self._descriptor, self._path):
                    _sign(self._descriptor, f"{os.getpid()} {self._what}\n")
                    return
            except BaseException:
                os.close(self._descriptor)
                raise
            os.close(self._descriptor)  # somebody removed the file while we waited: take the new one

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _sign(self._descriptor, "")
        finally:
            release(self._descriptor)
            os.close(self._descriptor)

    def _acquire(self, deadline: float | None) -> None:
        try:
            while not take(self._descriptor, wait=deadline is None and self._say is None):
                if deadline is not None and time.monotonic() >= deadline:
                    raise self._held_error()
                if self._say is not None and time.monotonic() >= self._silent_until:
                    self._say(self._waiting_message())
                    self._say = None
                time.sleep(_POLL_SECONDS)
        except OSError as error:  # some network file systems cannot lock
            raise lock_error(self._path, error) from error

    def _waiting_message(self) -> str:
        pid, _, what = _signature(self._path).partition(" ")
        who = "this command, for another machine" if pid == str(os.getpid()) else f"process {pid or 'unknown'}"
        return f"waiting for {who}" + (f" ({what})" if what else "")

    def _held_error(self) -> LockHeld:
        pid, _, what = _signature(self._path).partition(" ")
        by = f" by process {pid}" if pid.isdigit() else ""
        return LockHeld(
            f"cannot {self._what}: the lock {self._path} is held{by}",
            details=f"that process is there to: {what}" if what else "",
            resolution="wait until that command has ended, then run this one again"
            + (f"; `ps -p {pid}` shows it" if by and os.name != "nt" else ""),
        )


def open_file(path: str) -> int:
    """A descriptor of the lock file `path`, which is made if it is missing. Raises StoreError if it cannot be had."""
    try:
        files.make_directory(os.path.dirname(path) or ".")
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise lock_error(path, error) from error


def lock_error(path: str, error: OSError) -> StoreError:
    """The error for a lock file that cannot be had."""
    return StoreError(
        f"cannot lock {path}: {(error.strerror or str(error)).lower()}",
        resolution=files.in_the_way(path, error)
        or "check that the store belongs to you and that its disk is writable and knows locks;"
        " or choose another store with --storage-path",
    )


def is_open_file(descriptor: int, path: str) -> bool:
    """Whether `path` still names the file that is open: one that was removed locks nobody out."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _sign(descriptor: int, text: str) -> None:
    """Write who holds the lock. A full disk must not stop the work, the text is only for people."""
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())
    except OSError:
        return


def _signature(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(200).strip()
    except OSError:
        return ""


if sys.platform == "win32":
    import msvcrt

    def take(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:  # noqa: ARG001 (it only tries)
        """Lock an open file; whether that went. It is given back with the descriptor, or by `release`."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def release(descriptor: int) -> None:
        """Give the lock of an open file back."""
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def take(descriptor: int, *, wait: bool = False, shared: bool = False) -> bool:
        """Lock an open file; whether that went. It is given back with the descriptor, or by `release`.

        `shared`, for looking whether anybody holds it: who looks at the same time is not taken for the holder, whose
        number in the file may be another process's by now. Raises OSError where the file system knows no locks.
        """
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def release(descriptor: int) -> None:
        """Give the lock of an open file back."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
