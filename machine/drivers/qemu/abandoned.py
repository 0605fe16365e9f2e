"""Ending the processes of a machine whose record cannot be read, so that its uuid is not known.

A pid file of the machine's directory names each process. It is trusted only when that process was started with the
machine's own files on its command line and belongs to who may have started it; any other process is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from machine.drivers.images import disks
from machine.drivers.qemu import paths, process
from machine.errors import DriverError
from machine.wait import Clock

END_SECONDS = 20.0  # for the system to take back the memory and the files of a process that was killed
_FORWARDER = "machine.drivers.qemu.forwarder"


def end_processes(directory: str, run: process.Run, clock: Clock) -> Sequence[str]:
    """End the qemu and the forwarder that are proven to be of the machine in `directory`; return what was ended.

    Each is named as in "its qemu (process 123)". Raises DriverError if one belongs to another user or does not end.
    """
    found = {}
    sockets = ""
    for file, what in ((paths.FORWARDER_LOCK, "its forwarder"), (paths.PID, "its qemu")):
        pid = process.recorded(os.path.join(directory, file))
        words = process.command_line(pid, run) if pid else []
        if names_file(words, os.path.join(directory, file)) and process.of_owner(pid, directory):
            found[pid] = f"{what} (process {pid})"
            sockets = sockets or next(filter(None, map(paths.runtime_in, words)), "")
    for pid in found:
        process.end(pid)
    if not process.wait_gone(found, clock, END_SECONDS):
        raise DriverError(f"{' and '.join(found.values())} did not end", resolution="look at it with ps, or reboot")
    _remove_sockets(sockets)
    return list(found.values())


def names_file(words: Sequence[str], path: str) -> bool:
    """Whether a command line is that of a qemu or a forwarder which was given `path` for its pid file."""
    if "-pidfile" in words:
        return _is_file(words[words.index("-pidfile") + 1 :][:1], path)
    return _FORWARDER in words and _is_file(words[-1:], path)


def _is_file(word: Sequence[str], path: str) -> bool:
    return bool(word) and os.path.isabs(word[0]) and os.path.realpath(word[0]) == os.path.realpath(path)


def _remove_sockets(directory: str) -> None:
    """Remove the sockets outside of the store. What else may be in that directory stays, and the directory with it."""
    if not directory or os.path.islink(directory):
        return
    for name in paths.SOCKETS:
        disks.remove(os.path.join(directory, name))
    try:
        os.rmdir(directory)
    except OSError:
        return
