"""The commit that this program was made from, which `machine version` prints beside the version."""

from __future__ import annotations

import os

DISTRIBUTION = "container-hosts"  # what pip and pipx call it; the commands are machine, docker-machine, ...
FILE = "_commit"  # beside this module in an installed package, written by setup.py; a checkout has .git instead
_LENGTH = 8  # characters of a commit's hash, as docker-machine printed them


def commit(package: str = os.path.dirname(os.path.abspath(__file__))) -> str:
    """The first characters of the commit's hash; "unknown" where neither the package nor a checkout tells it.

    `package` is the directory of the package `machine`.
    """
    found = _line(os.path.join(package, FILE)) or _checked_out(os.path.dirname(package))
    return found[:_LENGTH] if len(found) >= _LENGTH and found.isalnum() else "unknown"


def _checked_out(root: str) -> str:
    """The commit that the checkout at `root` is at, "" if it is none of ours; git itself is not needed."""
    git = os.path.join(root, ".git")
    if not os.path.exists(os.path.join(root, "pyproject.toml")):
        return ""
    head = _line(os.path.join(git, "HEAD"))
    if not head.startswith("ref: "):
        return head
    branch = head.removeprefix("ref: ")
    return _line(os.path.join(git, *branch.split("/"))) or _packed(os.path.join(git, "packed-refs"), branch)


def _packed(path: str, branch: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            rows = (line.split() for line in file)
            return next((row[0] for row in rows if len(row) == 2 and row[1] == branch), "")
    except OSError:
        return ""


def _line(path: str) -> str:
    """The first line of a small file, "" if there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline(200).strip()
    except OSError:
        return ""
