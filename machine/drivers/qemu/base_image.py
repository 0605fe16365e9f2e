"""The base image of one machine: obtained once, written down, and found again from the machine's own directory."""

from __future__ import annotations

import os
from typing import Any

from machine.drivers.base import Driver, DriverContext
from machine.drivers.images import clone_source, own_copy
from machine.drivers.images.cache import Cache, Image
from machine.drivers.qemu import accel, paths
from machine.drivers.qemu.config import Settings
from machine.drivers.record_keys import BASE


class BaseImage:
    """What stands under the disk of the machine of `ctx`."""

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        self._directory = ctx.directory
        self._log = ctx.log
        self._data = data  # the driver's part of the record
        self.cache = Cache(ctx.store, run=ctx.run, log=ctx.log, machine=ctx.directory)

    def obtain(self, driver: Driver, settings: Settings) -> Image:
        """Return the image, written down so that it is never removed under this machine."""
        has_disk = os.path.exists(os.path.join(self._directory, paths.DISK))
        if (has_disk or clone_source.recorded(self._data)) and self._data.get(BASE):
            return self.recorded()
        found = self.cache.obtain(settings.image, accel.detect().arch, settings.mirror)
        own = os.path.join(self._directory, paths.BASE)
        found = own_copy.ensure(found, self.path(found), own, self._log)
        self._data[BASE] = {key: getattr(found, key) for key in Image.__slots__}
        driver.ctx.save(driver)
        return found

    def recorded(self) -> Image:
        """Return the image that is written down. Raises TypeError if none is, or something else."""
        return Image.of(self._data.get(BASE) or {})

    def path(self, image: Image) -> str:
        """Return the absolute path of the image's disk."""
        return self.cache.path(image.disk)

    def seen_from_machine(self, image: Image) -> str:
        """Return the path as the machine's disk names it: relative where it is the store's, so it can be moved."""
        base = self.path(image)
        return base if os.path.isabs(image.disk) else os.path.relpath(base, self._directory)
