"""How large a machine's disk and memory may be: what its file system and this host can take."""

from __future__ import annotations

import os
import shutil

from machine.drivers.images.disks import LARGEST
from machine.errors import PreflightFailed

MEMORY_STEP = 256  # MB; the least memory with which a machine comes up, and what suggestions are rounded to


def check(megabytes: int, flag: str, store_root: str, usual: int) -> None:
    """Raises PreflightFailed, naming `flag`, if a disk of that size could never be filled.

    The disk will lie below `store_root`. The `usual` size is never refused: it is a ceiling, and disks grow as they
    are used.
    """
    if megabytes << 20 > LARGEST:
        raise PreflightFailed(
            f"--{flag} {megabytes} is more than the machine's file system takes ({LARGEST >> 20} MB)",
            resolution=f"--{flag} {LARGEST >> 20} at most",
        )
    place = existing_directory(store_root)
    whole = shutil.disk_usage(place).total >> 20
    most = max(whole, usual)
    if megabytes > most:
        raise PreflightFailed(
            f"--{flag} {megabytes} is more than the disk of this host holds in all ({whole} MB at {place})",
            resolution=f"--{flag} {most} at most, or put the store on another disk with --storage-path",
        )


def check_memory(megabytes: int, flag: str, host_megabytes: int) -> None:
    """Check a machine's memory against that of this host, which is 0 if it is not known.

    Raises PreflightFailed, naming `flag` and a value that fits, if the host has less in all.
    """
    if not 0 < host_megabytes < megabytes:
        return
    fitting = max(host_megabytes // 2 // MEMORY_STEP, 1) * MEMORY_STEP
    raise PreflightFailed(
        f"--{flag} {megabytes} is more than this host has ({host_megabytes} MB)",
        resolution=f"--{flag} {fitting}; more leaves this host too little for itself",
    )


def existing_directory(path: str) -> str:
    """The nearest directory that exists already, of a path that may be made later."""
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    return path
