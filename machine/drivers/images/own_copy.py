"""A copy of an image that other users of this host could change, made before it is checked and used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from machine import files
from machine.drivers.images import cache, disks


def ensure(image: cache.Image, disk: str, own: str, log: Callable[[str], None]) -> cache.Image:
    """Return an image that no other user of this host can change: itself, or its copy at `own`, which is checked.

    `disk` is the path of its disk. Raises DriverError if there is no room, or the copy is no image for a machine.
    """
    if files.only_ours(disk):
        return image
    log(f"copying {disk}, which other users of this host could change")
    disks.copy(disk, own)
    return replace(image, disk=own, format=cache.disk_format(own, called=image.origin))
