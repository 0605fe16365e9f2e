"""Of which machine and which snapshot a clone is made, as its record says: a file that others may have written.

The name becomes a part of a path, and the tag and the UUID become arguments of programs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machine import names
from machine.drivers.images.snapshot_tag import is_tag
from machine.drivers.record_keys import CLONE_OF
from machine.errors import NameInvalid

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class CloneSource:
    """A machine and the tag of its snapshot. `uuid` is how VirtualBox knows that machine, "" for other drivers."""

    machine: str
    tag: str
    uuid: str = ""

    def to_record(self) -> dict[str, Any]:
        """Return what the driver's object in the record has of it."""
        uuid = {"UUID": self.uuid} if self.uuid else {}
        return {CLONE_OF: {"Machine": self.machine, **uuid, "Snapshot": self.tag}}


def recorded(driver_object: Mapping[str, Any]) -> CloneSource | None:
    """Return what a machine was made of, by the driver's object of its record; None if it is no clone.

    Raises TypeError or ValueError for what `to_record` does not return.
    """
    found = driver_object.get(CLONE_OF)
    if found in (None, "", {}):  # the last two are what `import` leaves
        return None
    if not isinstance(found, dict):
        raise TypeError(f"{CLONE_OF} is no object")
    machine, tag, uuid = found.get("Machine"), found.get("Snapshot"), found.get("UUID", "")
    if not _is_name(machine):
        raise ValueError(f"{CLONE_OF}.Machine is no name of a machine")
    if not is_tag(tag):
        raise ValueError(f"{CLONE_OF}.Snapshot is no tag of a snapshot")
    if not isinstance(uuid, str) or (uuid and not _UUID.fullmatch(uuid)):
        raise ValueError(f"{CLONE_OF}.UUID is no UUID")
    return CloneSource(str(machine), str(tag), uuid)


def _is_name(text: object) -> bool:
    try:
        return isinstance(text, str) and names.check(text) == text
    except NameInvalid:
        return False
