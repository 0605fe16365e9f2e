"""Where the unix sockets of machines' engines are: in the user's runtime directory, where nobody else may enter.

    $XDG_RUNTIME_DIR/machine/NAME.sock          of the default store
    $XDG_RUNTIME_DIR/machine/HASH/NAME.sock     of another store, by its path
    /tmp/machine-UID-sockets/...                where there is no runtime directory of this user (macOS, root by sudo)

Imported by the fast commands: needs `os` and `hashlib` only.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256

from machine import files, paths
from machine.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 103  # bytes of a unix socket's path that macOS takes; Linux takes 107


def socket_path(root: str, name: str, environ: Mapping[str, str], temporary: str = "/tmp") -> str:  # noqa: S108
    """Return the path of the socket of machine `name` in the store `root`; it is not made.

    `temporary` is the directory for users without a runtime directory, and for paths that would be too long.
    """
    parts = () if _is_default(root, environ) else (_hash(os.path.realpath(root)),)
    in_runtime, in_temporary = _our_names()
    fallback = os.path.join(temporary, in_temporary)
    runtime = _runtime_directory(environ)
    for top in (os.path.join(runtime, in_runtime), fallback) if runtime else (fallback,):
        path = os.path.join(top, *parts, f"{name}.sock")
        if len(os.fsencode(path)) <= LONGEST:
            return path
    return os.path.join(fallback, *parts, f"{_hash(name)}.sock")


def socket_url(root: str, name: str, environ: Mapping[str, str]) -> str:
    """Return DOCKER_HOST for the socket of machine `name`, whether or not anything answers there."""
    return f"unix://{socket_path(root, name, environ)}"


def make_directory(path: str) -> None:
    """Make the directory of a socket, 0700, and ours above it, in which that of another store is.

    Raises StoreError if another user has made one of them, or may enter it.
    """
    directory = os.path.dirname(path)
    above = os.path.dirname(directory)
    for place in (above, directory) if os.path.basename(above) in _our_names() else (directory,):
        files.need_directory(place)
        status = os.lstat(place)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user() or status.st_mode & 0o077:
            raise StoreError(
                f"{place} is not safe for a socket: others own it or may enter it",
                resolution=f"rm -r {place}, as whoever owns it; or set XDG_RUNTIME_DIR to a directory of your own",
            )


def _our_names() -> tuple[str, str]:
    """Return what our directories are called in a runtime directory, and where there is none."""
    return "machine", f"machine-{_user()}-sockets"


def _is_default(root: str, environ: Mapping[str, str]) -> bool:
    without = {key: value for key, value in environ.items() if key != "MACHINE_STORAGE_PATH"}
    return os.path.realpath(root) == os.path.realpath(paths.default_store(without))


def _runtime_directory(environ: Mapping[str, str]) -> str:
    """Return the user's runtime directory, "" if there is none. Of a variable that sudo kept nothing is believed."""
    for directory in (environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{_user()}"):
        try:
            if os.path.isabs(directory) and os.stat(directory).st_uid == _user():
                return directory
        except OSError:
            continue
    return ""


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0  # Windows has none, and no unix sockets in Python


def _hash(text: str) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:8]
