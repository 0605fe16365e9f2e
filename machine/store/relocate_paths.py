"""Relocation of the paths in a record that was written in another store's directory.

docker-machine writes absolute paths, so a store that was moved, copied or restored under another home would
point into the old place. Whatever lay in the old store is looked for in this one; other paths stay.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ABSOLUTE = re.compile(r"/|\\\\|[A-Za-z]:[\\/]")  # also a Windows path read on another system
_MACHINE = re.compile(r"[\\/]machines[\\/][^\\/]+[\\/]?$")


def relocate(root: str, name: str, driver_object: dict[str, Any], auth: dict[str, Any]) -> None:
    """Point every path in both objects that lies in the recorded store to the store `root`, machine `name`.

    The recorded places are AuthOptions.StorePath (the machine's directory; the store itself in what docker-machine
    migrated from version 1), Driver.StorePath (the store) and AuthOptions.CertDir, which is kept when it is a
    directory of its own that exists. All three are there, "" when they are not known.
    """
    directory, certs = os.path.join(root, "machines", name), os.path.join(root, "certs")
    old_machine = auth["StorePath"] if _MACHINE.search(auth["StorePath"]) else ""
    old_root = _store_of(driver_object["StorePath"]) or _store_of(auth["StorePath"])
    moves = [(old_machine, directory), (old_root, root)]
    old_certs = auth["CertDir"]
    if not _under(old_certs, old_root) and not (_ABSOLUTE.match(old_certs) and os.path.isdir(old_certs)):
        moves.append((old_certs, certs))
    moves = [(old, new) for old, new in moves if _ABSOLUTE.match(old) and _parent(old) != old and old != new]
    if moves:
        for value in (driver_object, auth):
            _apply(value, moves)
    auth["StorePath"] = directory
    driver_object["StorePath"] = root
    auth["CertDir"] = auth["CertDir"] if _ABSOLUTE.match(auth["CertDir"]) else certs


def _apply(value: dict[str, Any], moves: list[tuple[str, str]]) -> None:
    for key, found in value.items():
        if type(found) is str:
            value[key] = moved_path(found, moves)
        elif type(found) is list:
            value[key] = [moved_path(item, moves) if type(item) is str else item for item in found]


def moved_path(path: str, moves: list[tuple[str, str]]) -> str:
    """`path` after the first (old directory, new directory) that it lies in; itself if it lies in none."""
    for old, new in moves:
        if _under(path, old):
            rest = path[len(old.rstrip("/\\")) :].lstrip("/\\")
            if not rest:
                return new
            return os.path.join(new, *re.split(r"[\\/]", rest)) if "\\" in old else os.path.join(new, rest)
    return path


def _under(path: str, directory: str) -> bool:
    stem = directory.rstrip("/\\")
    return bool(stem) and (path.rstrip("/\\") == stem or path.startswith((stem + "/", stem + "\\")))


def _store_of(recorded: str) -> str:
    """The store that a recorded path names, directly or as a machine's directory; "" if it is no absolute path."""
    if not _ABSOLUTE.match(recorded):
        return ""
    return _parent(_parent(recorded)) if _MACHINE.search(recorded) else recorded


def _parent(path: str) -> str:
    return re.sub(r"[\\/]+[^\\/]*[\\/]*$", "", path)
