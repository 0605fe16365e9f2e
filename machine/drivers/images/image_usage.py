"""Which machines use which image as the base of their disk, noted in the cache of images, which stores may share.

CACHE/.uses/ID.json: the machine's directory, its computer, and the disk. So one store never deletes what a machine
of another store, or of another computer that shares the directory, still needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform

from machine import files

DIRECTORY = ".uses"
LARGEST = 1 << 16  # bytes of one note: it names two paths


def host_tag() -> str:
    """Six hexadecimal digits that tell this computer from others which share a directory with it."""
    identity = ""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        identity = files.read(path).decode("ascii", "replace").strip() if os.access(path, os.R_OK) else ""
        if identity:
            break
    return hashlib.sha256(f"{identity} {platform.node()}".encode()).hexdigest()[:6]


def note(cache: str, machine: str, disk: str) -> None:
    """Note that the disk of the machine with this directory is based on `disk` of the cache."""
    place = os.path.realpath(machine)
    text = json.dumps({"host": host_tag(), "directory": place, "disk": disk}) + "\n"
    path = _path(cache, place)
    if files.read(path) != text.encode():
        files.write(path, text.encode())


def forget(cache: str, machine: str) -> None:
    """Remove the note of the machine with this directory."""
    try:
        os.unlink(_path(cache, os.path.realpath(machine)))
    except OSError:
        return


def used(cache: str) -> dict[str, list[str]]:
    """Return the directories of the machines that use each disk, by the disk; those that are gone are left out.

    A machine of another computer cannot be looked for, so it counts as long as its note is there.
    """
    found: dict[str, list[str]] = {}
    try:
        entries = sorted(os.listdir(os.path.join(cache, DIRECTORY)))
    except OSError:
        return found
    for entry in entries:
        known = _read(os.path.join(cache, DIRECTORY, entry))
        if known and (known["host"] != host_tag() or os.path.isdir(known["directory"])):
            found.setdefault(known["disk"], []).append(known["directory"])
    return found


def _path(cache: str, place: str) -> str:
    name = hashlib.sha256(f"{host_tag()} {place}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return os.path.join(cache, DIRECTORY, f"{name}.json")


def _read(path: str) -> dict[str, str] | None:
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    keys = ("host", "directory", "disk")
    return found if isinstance(found, dict) and all(isinstance(found.get(key), str) for key in keys) else None
