"""The temporary directory of a build, which is found and removed again however the build ended.

It is in the system's place for such directories, since the subordinate users of mmdebstrap's files may not enter
the store. A link in the build's own directory names it, and is written first. Whoever builds holds a lock on the image.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable

from machine import lock
from machine.errors import CommandFailed
from machine.process import Completed

IMAGE = "root.img"  # the file system that is being made; locked by all processes of the build
LINK = "temporary"
_PREFIX = "machine-image-"
END_SECONDS = 10.0  # for the processes of an interrupted build to end; a terminal's Ctrl-C reaches all of them
REMOVE_SECONDS = 300.0


def make_temporary(work: str) -> str:
    """Make the temporary directory of the build in `work`, which others may enter and not list; return its path."""
    path = os.path.join(os.path.realpath(tempfile.gettempdir()), f"{_PREFIX}{os.urandom(6).hex()}")
    os.symlink(path, os.path.join(work, LINK))
    os.mkdir(path, 0o700)
    os.chmod(path, 0o711)  # noqa: S103 (random name, no listing; the namespace has to enter it)
    return path


def remove(work: str, run: Callable[..., Completed], *, seconds: float = 0.0) -> bool:
    """Remove the build's directory `work` and its temporary one; return whether both are gone.

    Both stay while a process of the build still runs after `seconds`, and `work` stays if the other one resists: it
    is tried again at the next build.
    """
    deadline = time.monotonic() + seconds
    while lock.holder(os.path.join(work, IMAGE)):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    if not _remove_temporary(work, run):
        return False
    shutil.rmtree(work, ignore_errors=True)
    return not os.path.lexists(work)


def _remove_temporary(work: str, run: Callable[..., Completed]) -> bool:
    try:
        path = os.readlink(os.path.join(work, LINK))
        status = os.lstat(path)
    except OSError:  # nothing was made, or it is gone
        return True
    is_ours = os.path.basename(path).startswith(_PREFIX) and os.path.isabs(path) and status.st_uid == os.geteuid()
    if not is_ours or not stat.S_ISDIR(status.st_mode):
        return True
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid != os.geteuid():
            _empty(entry.path, run)
    shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def _empty(directory: str, run: Callable[..., Completed]) -> None:
    """Remove what subordinate users own, in a user namespace as mmdebstrap's own; the empty directory stays."""
    words = ["find", directory, "-mount", "-mindepth", "1", "-delete"]
    try:
        run(["mmdebstrap", "--unshare-helper", *words], cwd="/", timeout=REMOVE_SECONDS)
    except CommandFailed:
        return
