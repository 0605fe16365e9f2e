"""Snapshots of a machine, kept by VirtualBox: https://www.virtualbox.org/manual/topics/snapshots.html.

VBoxManage does not tell when one was made and with what, so that stands in its description. One of a running machine
always has its memory, and each has the machine's settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from machine.drivers.base import Snapshot
from machine.drivers.images.snapshot_tag import is_tag
from machine.drivers.virtualbox.client import VBox

MOST = 500  # snapshots of one machine that are listed
_NAME = re.compile(r"SnapshotName((?:-\d+)*)")
_DESCRIPTION = re.compile(r"made (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00), (with|without) memory")


@dataclass(frozen=True, slots=True)
class VBoxSnapshots:
    """The snapshots of the machine that VirtualBox calls `vm`. `record_settings` writes down those that it has now."""

    vbox: VBox
    vm: str
    restored_options: Sequence[str]
    record_settings: Callable[[], None]

    def all(self) -> list[Snapshot]:
        """Return the machine's snapshots, oldest first. Raises DriverError if VirtualBox does not answer."""
        return read(self.vbox.info(self.vm) or {})

    def take(self, tag: str, *, memory: bool) -> bool:  # noqa: ARG002 (VirtualBox leaves no choice)
        """Make the snapshot `tag`, with the memory if the machine runs; return whether it has that."""
        runs = (self.vbox.info(self.vm) or {}).get("VMState") == "running"
        self.vbox.take_snapshot(self.vm, tag, description(datetime.now(UTC), memory=runs))
        return runs

    def restore(self, wanted: Snapshot) -> None:
        """Bring the machine, which is off, to what it was; one whose memory was kept is suspended afterwards."""
        self.vbox.restore_snapshot(self.vm, wanted.tag)
        self.record_settings()

    def remove(self, tag: str) -> None:
        """Remove the snapshot `tag`."""
        self.vbox.delete_snapshot(self.vm, tag)


def description(made: datetime, *, memory: bool) -> str:
    """Return what a snapshot's description says."""
    return f"made {made.isoformat(timespec='seconds')}, {'with' if memory else 'without'} memory"


def uuid_of(info: Mapping[str, str], tag: str) -> str:
    """Return VirtualBox's UUID of the snapshot `tag`, "" if there is none."""
    for key, name in info.items():
        if name == tag and (place := _NAME.fullmatch(key)):
            return info.get(f"SnapshotUUID{place[1]}", "").lower()
    return ""


def read(info: Mapping[str, str]) -> list[Snapshot]:
    """Return the snapshots of which `showvminfo --machinereadable` tells, oldest first.

    One that was made by other means has no time; one whose name is no tag of ours is left out.
    """
    found: list[Snapshot] = []
    for key, name in list(info.items()):
        place = _NAME.fullmatch(key)
        if place and is_tag(name) and len(found) < MOST:
            said = _DESCRIPTION.match(info.get(f"SnapshotDescription{place[1]}", ""))
            made, memory = (said[1], said[2] == "with") if said else ("", False)
            found.append(Snapshot(name, made, memory))
    return sorted(found, key=lambda one: one.made)
