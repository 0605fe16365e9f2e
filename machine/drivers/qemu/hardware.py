"""What must be the same in a qemu that a machine's memory is restored into, as it stands in the driver's record."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any, TypeGuard

from machine.drivers.qemu import argv
from machine.drivers.qemu.config import ACCELERATORS, Settings
from machine.drivers.qemu.qmp import Client

_BOARD = re.compile(r"[a-z][a-z0-9.-]{0,40}")
_LARGEST = 1 << 30


def of(machine: argv.Machine, client: Client) -> dict[str, Any]:
    """Return what the qemu of `machine`, at the other end, shows it."""
    return {
        "accel": machine.accel,
        "cpus": machine.cpus,
        "memory": machine.memory,
        "unrandomized": machine.unrandomized,
        "board": _board(client),
    }


def is_sound(known: object) -> TypeGuard[dict[str, Any]]:
    """Whether this is something that `of` could have returned: it becomes a part of a command line."""
    return (
        isinstance(known, dict)
        and known.get("accel") in ACCELERATORS
        and all(type(known.get(key)) is int and 0 < known[key] < _LARGEST for key in ("cpus", "memory"))
        and isinstance(known.get("unrandomized"), bool)
        and _BOARD.fullmatch(str(known.get("board"))) is not None
    )


def as_known(machine: argv.Machine, known: dict[str, Any]) -> argv.Machine:
    """Return `machine` with the hardware that `of` returned."""
    return replace(
        machine,
        accel=known["accel"],
        cpus=known["cpus"],
        memory=known["memory"],
        unrandomized=known["unrandomized"],
        board=known["board"],
    )


def restored(settings: Settings, disk: int, memory: int = 0, cpus: int = 0) -> Settings:
    """Return the settings of a machine that has a disk and memory of so many MB and so many processors, 0: as before.

    All of this host's processors stay all of them, as long as that is their number.
    """
    if settings.cpus == -1 and cpus == os.cpu_count():
        cpus = -1
    return replace(settings, disk=disk, memory=memory or settings.memory, cpus=cpus or settings.cpus)


def _board(client: Client) -> str:
    """Return the versioned name of the board that a qemu shows its machine, such as pc-i440fx-7.2."""
    return str(client.command("qom-get", path="/machine", property="type")).removesuffix("-machine")
