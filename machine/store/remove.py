"""Removing a machine's directory so that a kill in the middle leaves no half machine.

The directory first gets a name with a leading dot, which is no machine; what is left of such directories is swept
by the next delete or add. Links are removed, never followed.
"""

from __future__ import annotations

import os
import shutil
import stat

from machine.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MARK = ".removed-"


def remove(machines: str, name: str) -> None:
    """Remove `machines`/`name`. StoreError when it is a link, or when something in it resists."""
    directory = os.path.join(machines, name)
    if os.path.islink(directory) or not os.path.isdir(directory):
        raise StoreError(
            f"{directory} is not a directory of this store and is left alone",
            details=f"it is a link to {os.path.realpath(directory)}" if os.path.islink(directory) else "it is a file",
            resolution=f"remove it by hand: rm {directory}",
        )
    grave = os.path.join(machines, f".{name}{MARK}{os.urandom(4).hex()}")
    try:
        os.rename(directory, grave)
    except OSError as error:
        raise _resists(directory, error) from error
    _clear(grave, strict=True)
    sweep(machines)


def sweep(machines: str) -> None:
    """Remove what deletes that were killed have left; what still resists stays for the next time."""
    try:
        with os.scandir(machines) as entries:
            graves = [entry.path for entry in entries if entry.name.startswith(".") and MARK in entry.name]
    except OSError:
        return
    for grave in graves:
        _clear(grave, strict=False)


def _clear(directory: str, *, strict: bool) -> None:
    """Remove a tree; directories without write permission get it first (that is what keeps files from going)."""

    def retry(act: Callable[..., Any], path: str, info: Any) -> None:
        if isinstance(info[1], FileNotFoundError):
            return  # another sweep was faster
        try:
            _permit(path, directory)
            act(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if strict:
                raise _resists(path, error) from error

    if os.path.islink(directory):
        return
    _open_up(directory)
    shutil.rmtree(directory, onerror=retry)


def _open_up(directory: str) -> None:
    """Give every directory of the tree back to its owner: u+rwx. Links are not followed."""
    for path, _, _ in os.walk(directory, onerror=None):
        _permit_one(path)


def _permit(path: str, top: str) -> None:
    if path != top:
        _permit_one(os.path.dirname(path))
    if not os.path.islink(path):
        _permit_one(path)


def _permit_one(path: str) -> None:
    try:
        os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) | stat.S_IRWXU)
    except OSError:
        return  # not ours; the removal that follows says so


def _resists(path: str, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be removed: {error.strerror or error}",
        resolution=f"find who holds it (lsof {path}), or make it yours (chown), then remove it by hand",
    )
