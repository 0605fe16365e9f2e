"""The commands that mount a share on a machine and unmount it, and what they say on stderr. Pure, but for reading them.

They run as root: the machine's user needs sudo without a password, as for provisioning.
"""

from __future__ import annotations

import os
import shlex

from machine.share.nesting import Mount

_DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
_MARK = "machine-share: "
MOUNTED, NO_SSHFS = "mounted", "no-sshfs"
REFUSALS = {  # what the script says when repeating is of no use -> (what happened, what to do)
    NO_SSHFS: ("the program sshfs is not there and could not be installed", "install it there (package sshfs)"),
    "no-fuse": ("its kernel has no FUSE", "give it a kernel with the module fuse"),
    "other-share": (
        "something is mounted there already, maybe by another computer",
        "unmount that, or share another directory",
    ),
    "occupied": ("it has a directory of its own there, which would be covered", "share a directory below it"),
    "no-directory": ("the directory cannot be made there", "share a directory with another path"),
}
PACKAGE = "sshfs"
PACKAGES = {"dnf": "fuse-sshfs", "yum": "fuse-sshfs"}  # elsewhere PACKAGE


def mount(wanted: Mount) -> str:
    """The command whose stdin and stdout are an SFTP conversation for as long as the share is mounted."""
    return as_root(_script("mount"), wanted.share.path, "rw" if wanted.writable else "ro", wanted.share.tag)


def unmount(wanted: Mount) -> str:
    """The command that unmounts the share, and removes the directory if it is empty."""
    return as_root(_script("unmount"), wanted.share.path, wanted.share.tag)


def said(line: str) -> str:
    """What our script says in a line of stderr, "" for any other line."""
    return line[len(_MARK) :].strip() if line.startswith(_MARK) else ""


def as_root(script: str, *arguments: str) -> str:
    """A command line that runs a shell script as root."""
    words = shlex.join(["sh", "-c", script, "sh", *arguments])
    return f'if [ "$(id -u)" = 0 ]; then exec {words}; else exec sudo -n {words}; fi'


def _script(name: str) -> str:
    with open(os.path.join(_DIRECTORY, f"{name}.sh"), encoding="utf-8") as file:
        return file.read()
