"""A machine whose memory is on disk while it is off: written by `suspend`, read by the next `start`.

The file SAVED is there exactly while nothing has run in the machine since its memory was written: it is removed before
the machine goes on. So whatever process was killed in between, either the file is what is to be gone on with, or the
qemu is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from machine.drivers.base import Driver, DriverContext
from machine.drivers.images import disks
from machine.drivers.images.templates import PACKERS, installed_packer
from machine.drivers.qemu import argv, hardware, memory, paths
from machine.drivers.qemu.qmp import Client, QmpError
from machine.drivers.record_keys import SAVED_MEMORY
from machine.errors import DriverError

SAVE_SECONDS = 600.0  # for the memory of a large machine, to a slow disk


class Suspension:
    """The saved memory of the machine of `ctx`; `data` is the driver's part of its record."""

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        self._ctx, self._data = ctx, data
        self._file = os.path.join(ctx.directory, paths.SAVED)
        self._part = os.path.join(ctx.directory, paths.SAVING)

    def exists(self) -> bool:
        """Whether the machine's memory is on disk, to be gone on with."""
        return os.path.exists(self._file)

    def save(self, driver: Driver, machine: argv.Machine) -> None:
        """Save the memory of the running `machine` and end its qemu; it runs on if that fails.

        Raises DriverError, with qemu's words, if it cannot be saved.
        """
        pack, _ = PACKERS[packer := installed_packer()]
        with Client(os.path.join(machine.sockets, paths.QMP), 30.0) as client:
            try:
                client.command("stop")
                self._note(driver, machine, packer, client)
                os.close(disks.private(self._part))
                memory.save(client, pack, self._part, SAVE_SECONDS)
                os.replace(self._part, self._file)
            except BaseException:
                self.discard()
                _go_on(client)
                raise
            client.command("quit")

    def as_saved(self, machine: argv.Machine) -> argv.Machine:
        """Return `machine` with the processors, memory and devices that it had when it was saved."""
        return replace(hardware.as_known(machine, self._known()), incoming=True)

    def restore(self, client: Client) -> None:
        """Restore the memory into the qemu at the other end, which was started from `as_saved`, and let it go on.

        Raises DriverError if that fails; the memory is on disk then as before, unless qemu has all of it and does not
        go on.
        """
        _, unpack = PACKERS[self._known()["packed"]]
        memory.restore(client, unpack, self._file, SAVE_SECONDS)
        self.discard()
        client.command("cont")

    def discard(self) -> None:
        """Remove the saved memory."""
        for path in (self._file, self._part):
            disks.remove(path)

    def _known(self) -> dict[str, Any]:
        """Return what `_note` wrote. Raises DriverError for anything else: it becomes a command line."""
        known = self._data.get(SAVED_MEMORY)
        if not isinstance(known, dict) or not hardware.is_sound(known) or known.get("packed") not in PACKERS:
            name = self._ctx.name
            raise DriverError(
                f"the record of {name} does not say how its memory was saved",
                resolution=f"machine kill {name} gives the saved memory up; machine start {name} boots it then",
            )
        return known

    def _note(self, driver: Driver, machine: argv.Machine, packer: str, client: Client) -> None:
        """Write down what must be the same in the qemu that the memory is restored into."""
        self._data[SAVED_MEMORY] = {"packed": packer, **hardware.of(machine, client)}
        self._ctx.save(driver)


def _go_on(client: Client) -> None:
    """Let a machine run on that was stopped to be saved, if its qemu is there to be asked."""
    try:
        client.command("cont")
    except QmpError:
        return
