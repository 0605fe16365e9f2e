"""Processes of this program that go on in the background, and the files by which they are found again.

Each holds the lock of a file as long as it runs, which the kernel takes back however it ends. In the file stand its
number, what it is there for, and when it was started. So a number counts only while somebody holds the lock, and while
the process of that number is the one that wrote it: one that got the number later is a stranger.

A process may be expected to run (`expect`): then the file is there before it, and one that nobody locks says that the
process was ended. Such a process ends when its file is gone. machine.background_control starts and ends processes.

Imported by every command: needs `os` and `time` only.
"""

from __future__ import annotations

import os
import sys
import time

from machine import files, lock
from machine.errors import LockHeld

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

EXPECTED_SECONDS = 30.0  # for an expected process to hold its lock, on a loaded computer
_HOLD_SECONDS, _PAUSE = 1.0, 0.05  # to take the lock: somebody may only be looking who has it
_LONGEST_TEXT = 500  # bytes of the file
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def expect(path: str) -> None:
    """Write down that a process should run from now on; a file that is there already stays."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, files.PRIVATE))


def missing(path: str) -> bool:
    """Return whether a process should run and does not. One that was just started has EXPECTED_SECONDS to come."""
    descriptor = open_file(path)
    if descriptor < 0:
        return False
    try:
        status = os.fstat(descriptor)
        starting = not status.st_size and time.time() - status.st_mtime < EXPECTED_SECONDS
        return not starting and not is_held(descriptor)
    finally:
        os.close(descriptor)


def running(path: str) -> int:
    """Return the number of the process that holds the lock `path` now, 0 when none does that is proven to."""
    descriptor = open_file(path)
    if descriptor < 0:
        return 0
    try:
        return holder(descriptor)
    finally:
        os.close(descriptor)


class Hold:
    """Being the process of the lock `path` inside a `with`; `what` says in a few words what it is there for.

    The file is removed at the end, unless `keep` is true then. `expected`: only if the file is there. Raises LockHeld
    if another process has the lock, FileNotFoundError if none is expected, StoreError if the file cannot be made.
    """

    def __init__(self, path: str, what: str, *, expected: bool = False) -> None:
        self._path, self._what, self._expected, self._descriptor = path, what, expected, -1
        self.keep = False

    def __enter__(self) -> Hold:
        deadline = time.monotonic() + _HOLD_SECONDS
        while not self._take():
            if time.monotonic() > deadline:
                pid = running(self._path)
                raise LockHeld(f"{f'process {pid}' if pid else 'another process'} is there already to {self._what}")
            time.sleep(_PAUSE)
        try:
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()} {self._what}\n{started(os.getpid())}\n".encode())
        except OSError as error:  # a full disk: nobody could find this process
            os.close(self._descriptor)
            raise lock.lock_error(self._path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.keep and lock.is_open_file(self._descriptor, self._path):
            lock.drop(self._path)
        os.close(self._descriptor)

    def _take(self) -> bool:
        """Take the lock of the file that is there now; whether that went."""
        self._descriptor = os.open(self._path, _FLAGS) if self._expected else lock.open_file(self._path)
        try:
            if lock.take(self._descriptor) and lock.is_open_file(self._descriptor, self._path):
                return True
        except OSError as error:  # some network file systems cannot lock
            os.close(self._descriptor)
            raise lock.lock_error(self._path, error) from error
        os.close(self._descriptor)
        return False


def open_file(path: str) -> int:
    """Return a descriptor of a lock file, -1 when there is none."""
    try:
        return os.open(path, _FLAGS)
    except OSError:
        return -1


def is_held(descriptor: int) -> bool:
    """Return whether a process has the lock of an open file. Two that look are not taken for it."""
    try:
        if not lock.take(descriptor, shared=True):
            return True
        lock.release(descriptor)
    except OSError:
        pass  # the file system knows no locks: nobody can have one
    return False


def holder(descriptor: int) -> int:
    """Return the number of the process that has the lock, 0 unless it is proven to be the one that wrote it down."""
    if not is_held(descriptor):
        return 0
    os.lseek(descriptor, 0, os.SEEK_SET)
    signature, _, since = os.read(descriptor, _LONGEST_TEXT).decode("utf-8", "replace").partition("\n")
    number, since = signature.partition(" ")[0].strip(), since.strip()
    pid = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    if pid < 2 or (since and started(pid) != since):  # one of an older version has not written since when
        return 0
    return pid


def started(pid: int) -> str:
    """Return when a process was started, in the system's own words; "" if there is none or the system does not tell."""
    if sys.platform.startswith("linux"):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                return file.read().rpartition(b")")[2].split()[19].decode()  # proc(5): starttime, in ticks since boot
        except (OSError, IndexError):
            return ""
    if os.name == "nt":
        return ""
    from machine import process

    words = ["ps", "-o", "lstart=", "-p", str(pid)]
    said = process.run(words, check=False, timeout=10, env={"PATH": "/bin:/usr/bin", "LC_ALL": "C", "TZ": "UTC"})
    return " ".join(said.stdout.split())


def to_background() -> None:
    """Leave the caller: a session of its own, no terminal, nothing open (os.fork twice)."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    silence()


def silence() -> None:
    """Print nothing from here on: what happens is told elsewhere, and a process that runs for weeks fills no disk."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
