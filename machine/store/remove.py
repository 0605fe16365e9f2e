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
    """Remove `machines`/`name`. Raises StoreError if it is a link, or something in it resists."""
    directory = os.path.join(machines, name)
    _refuse_other_than_directory(directory)
    trash_path = os.path.join(machines, f".{name}{MARK}{os.urandom(4).hex()}")
    try:
        os.rename(directory, trash_path)
    except OSError as error:
        raise _removal_error(directory, error) from error
    _remove_tree(trash_path, strict=True)
    sweep(machines)


def check_removable(machines: str, name: str) -> None:
    """Raises StoreError if `remove` could not even begin: `machines`/`name` is a link, or `machines` is not writable.

    Changes nothing. What the platform has of the machine is not to be removed before this is known.
    """
    _refuse_other_than_directory(os.path.join(machines, name))
    if os.name == "nt":  # directories have no such mode there
        return
    if not os.access(machines, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(
            f"{name} cannot be removed: {machines} is not writable for you",
            details="nothing was removed",
            resolution=f"chmod u+wx {machines}, or make it yours (chown); then machine rm {name}",
        )


def _refuse_other_than_directory(directory: str) -> None:
    if os.path.islink(directory) or not os.path.isdir(directory):
        raise StoreError(
            f"{directory} is not a directory of this store and is left alone",
            details=f"it is a link to {os.path.realpath(directory)}" if os.path.islink(directory) else "it is a file",
            resolution=f"remove it by hand: rm {directory}",
        )


def sweep(machines: str) -> None:
    """Remove what deletes that were killed have left; what still resists stays for the next time."""
    try:
        with os.scandir(machines) as entries:
            directories = [entry.path for entry in entries if entry.name.startswith(".") and MARK in entry.name]
    except OSError:
        return
    for directory in directories:
        _remove_tree(directory, strict=False)


def _remove_tree(directory: str, *, strict: bool) -> None:
    """Remove a tree, whatever the modes in it; with `strict` StoreError names the first thing that resists."""

    def resist(act: Callable[..., Any], path: str, info: Any) -> None:
        error = info[1]
        if act in (os.unlink, os.rmdir) and os.name == "nt" and isinstance(error, PermissionError):
            try:
                os.chmod(path, stat.S_IWRITE)  # read-only files cannot be removed there
                act(path)
            except OSError as again:
                error = again
            else:
                return
        if strict and not isinstance(error, FileNotFoundError):  # another sweep may have been faster
            raise _removal_error(path, error) from error

    if not os.path.islink(directory):
        _make_accessible(directory)
        shutil.rmtree(directory, onerror=resist)


def _make_accessible(directory: str) -> None:
    """Let the owner of a tree into all of its directories, which is what removing needs. Links are not followed."""
    pending = [directory]
    while pending:
        path = pending.pop()
        try:
            os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) | stat.S_IRWXU)
            with os.scandir(path) as entries:
                pending.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue  # not ours; the removal that follows says so


def _removal_error(path: str, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be removed: {error.strerror or error}",
        resolution=f"find who holds it (lsof {path}), or make it yours (chown), then remove it by hand",
    )
