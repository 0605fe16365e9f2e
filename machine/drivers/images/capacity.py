"""How large a machine's disk may be: what its file system and the disk of this host can take."""

from __future__ import annotations

import os
import shutil

from machine.drivers.images.disks import LARGEST
from machine.errors import PreflightFailed


def check(megabytes: int, flag: str, store: str, usual: int) -> None:
    """PreflightFailed, naming `flag`, when a disk of that size could never be filled.

    `store` is where the disk will lie. The `usual` size is never refused: it is a ceiling, and disks grow as they are
    used.
    """
    if megabytes << 20 > LARGEST:
        raise PreflightFailed(
            f"--{flag} {megabytes} is more than the machine's file system takes ({LARGEST >> 20} MB)",
            resolution=f"give --{flag} less",
        )
    place = existing_directory(store)
    whole = shutil.disk_usage(place).total >> 20
    if megabytes > max(whole, usual):
        raise PreflightFailed(
            f"--{flag} {megabytes} is more than the disk of this host holds in all ({whole} MB at {place})",
            resolution=f"give --{flag} less, or put the store on another disk with --storage-path",
        )


def existing_directory(path: str) -> str:
    """The nearest directory that exists already, of a path that may be made later."""
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    return path
