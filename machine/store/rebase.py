"""Paths in a record that was written for another place are read as paths of this one.

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


def rebase(root: str, name: str, driver: dict[str, Any], auth: dict[str, Any]) -> None:
    """Point every path in `driver` and `auth` that lies in the recorded store to the store `root`, machine `name`.

    The recorded places are AuthOptions.StorePath (the machine's directory), Driver.StorePath (the store) and
    AuthOptions.CertDir; the last is kept when it is a directory of its own that exists.
    """
    here, certs = os.path.join(root, "machines", name), os.path.join(root, "certs")
    old_machine, old_root = auth.get("StorePath", ""), driver.get("StorePath", "")
    if not _ABSOLUTE.match(old_root):
        old_root = _parent(_parent(old_machine)) if re.search(r"[\\/]machines[\\/][^\\/]+$", old_machine) else ""
    moves = [(old_machine, here), (old_root, root)]
    old_certs = auth.get("CertDir", "")
    if not _under(old_certs, old_root) and not (_ABSOLUTE.match(old_certs) and os.path.isdir(old_certs)):
        moves.append((old_certs, certs))
    moves = [(old, new) for old, new in moves if _ABSOLUTE.match(old) and _parent(old) != old and old != new]
    if moves:
        for value in (driver, auth):
            _apply(value, moves)
    auth["StorePath"] = here
    driver["StorePath"] = root
    auth["CertDir"] = auth["CertDir"] if _ABSOLUTE.match(auth.get("CertDir", "")) else certs


def _apply(value: dict[str, Any], moves: list[tuple[str, str]]) -> None:
    for key, found in value.items():
        if type(found) is str:
            value[key] = moved(found, moves)
        elif type(found) is list:
            value[key] = [moved(item, moves) if type(item) is str else item for item in found]


def moved(path: str, moves: list[tuple[str, str]]) -> str:
    """`path` after the first (old directory, new directory) that it lies in; itself if it lies in none."""
    for old, new in moves:
        if _under(path, old):
            rest = path[len(old.rstrip("/\\")) :].lstrip("/\\")
            return os.path.join(new, *re.split(r"[\\/]", rest) if "\\" in old else [rest]) if rest else new
    return path


def _under(path: str, directory: str) -> bool:
    stem = directory.rstrip("/\\")
    return bool(stem) and (path.rstrip("/\\") == stem or path.startswith((stem + "/", stem + "\\")))


def _parent(path: str) -> str:
    return re.sub(r"[\\/]+[^\\/]*[\\/]*$", "", path)
