"""Finding and ending the qemu of one machine, and no other: by its pid file, else by its uuid in the list of processes.

A pid is trusted only when that process carries the machine's uuid on its command line, was started with the machine's
own pid file, and belongs to who may have started it. So neither a recycled pid, a copied store nor another user of this
host, who may start a process with any words, can make us end or believe a stranger.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator

from machine.drivers.qemu import paths
from machine.errors import DriverError
from machine.process import Completed
from machine.wait import Clock

Run = Callable[..., Completed]


def find(directory: str, uuid: str, run: Run) -> int:
    """The pid of the machine's qemu, 0 when it does not run."""
    pid = recorded(os.path.join(directory, paths.PID))
    if pid and is_ours(command_line(pid, run), directory, uuid) and of_owner(pid, directory):
        return pid
    for candidate, words in _all(run):
        if is_ours(words, directory, uuid) and of_owner(candidate, directory):
            return candidate
    return 0


def find_all(directory: str, uuid: str, run: Run) -> list[int]:
    """The pids of all processes of the machine's qemu: there are two while it goes to the background."""
    return [pid for pid, words in _all(run) if is_ours(words, directory, uuid) and of_owner(pid, directory)]


def is_ours(words: list[str], directory: str, uuid: str) -> bool:
    """Whether a process with these arguments is the machine's: its uuid, and its pid file or one that is gone."""
    if uuid not in words or "-pidfile" not in words:
        return False
    there = words[words.index("-pidfile") + 1 :][:1]
    ours = os.path.join(directory, paths.PID)
    return bool(there) and (os.path.realpath(there[0]) == os.path.realpath(ours) or not os.path.exists(there[0]))


def of_owner(pid: int, directory: str) -> bool:
    """Whether a process is this user's, root's, or of whom the machine's directory is; True where nobody tells."""
    if not sys.platform.startswith("linux"):
        return True
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
        return owner in (0, os.geteuid()) or owner == os.stat(directory).st_uid
    except OSError:  # it has ended meanwhile, or the directory is gone
        return False


def end(pid: int) -> None:
    """Cut its power. A process that is gone already is success. Raises DriverError for another user's."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        raise DriverError(
            f"the virtual machine's process {pid} belongs to another user",
            resolution="run this as the user who started the machine (it may have been started with sudo)",
        ) from None


def gone(pid: int) -> bool:
    """Whether nothing of a process is left, its open ports included.

    A process that ends gives its memory back first, so that its command line is empty, and closes its files later:
    only then are its ports free. One that nobody has waited for is gone when its last thread is.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _is_zombie(pid)


def wait_gone(pids: Iterable[int], clock: Clock, seconds: float) -> bool:
    """Wait until nothing is left of all these processes; return whether that was so within `seconds`."""
    waited_for, deadline = list(pids), clock.now() + seconds
    while not all(map(gone, waited_for)):
        if clock.now() > deadline:
            return False
        clock.sleep(0.05)
    return True


def _is_zombie(pid: int) -> bool:
    """proc(5): the state follows the name in brackets; a dead leader may have threads that still hold the files."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
        return state in (b"Z", b"X") and len(os.listdir(f"/proc/{pid}/task")) < 2
    except (OSError, IndexError):
        return not os.path.isdir(f"/proc/{pid}") and os.path.isdir("/proc/self")


def command_line(pid: int, run: Run) -> list[str]:
    """The arguments of a living process, [] when there is none; the words of a dead one not yet waited for are []."""
    if sys.platform.startswith("linux"):
        return _linux(pid)
    return run(["ps", "-ww", "-p", str(pid), "-o", "command="], check=False, timeout=10).stdout.split()


def _linux(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []


def recorded(path: str) -> int:
    """The pid in a pid file, 0 when there is no such file or it holds none."""
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except (OSError, UnicodeDecodeError):
        return 0
    number = text.partition(" ")[0]  # what the process is there for may come after it
    return int(number) if number.isdigit() and len(number) < 10 else 0


def _all(run: Run) -> Iterator[tuple[int, list[str]]]:
    """Every process that this user may look at."""
    if sys.platform.startswith("linux"):
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                yield int(entry), _linux(int(entry))
        return
    for line in run(["ps", "-axww", "-o", "pid=,command="], check=False, timeout=10).stdout.splitlines():
        pid, _, words = line.strip().partition(" ")
        if pid.isdigit():
            yield int(pid), words.split()
