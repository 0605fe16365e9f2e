"""Which paths of a shared tree a machine sees, and which it may change. Pure, but for `identity`.

Paths are judged by their names as the file systems of macOS compare them, so that no other spelling of a hidden name
passes; hidden directories that exist are known by their device and inode, too, whatever they are called by then. The
parents of a judged path can be neither moved nor replaced, so that it is found where it was.
"""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from functools import lru_cache

Components = Sequence[bytes]
_MOST_STEPS = 1000  # components of a path with those of the links on it
_DEEPEST, _MOST_ENTRIES = 3, 500  # directories below a judged one, and entries of each, in which links are looked for


class Verdict(Enum):
    """What a machine may do with a path."""

    FREE = "free"
    HIDDEN = "hidden"  # it looks as if there were nothing, and nothing can be put there
    READ_ONLY = "read-only"
    PARENT = "parent"  # of one of those, or a link on the way to it: it stays what it is, and where


class Policy:
    """The paths below one root that are hidden or read-only, and the links on the `ways` to them.

    All are given as components below the root.
    """

    def __init__(
        self,
        hidden: Iterable[Components] = (),
        read_only: Iterable[Components] = (),
        identities: Collection[tuple[int, int]] = (),
        ways: Iterable[Components] = (),
    ) -> None:
        self._hidden = {_fold_all(path) for path in hidden}
        self._read_only = {_fold_all(path) for path in read_only}
        judged = self._hidden | self._read_only
        links = {_fold_all(path) for path in ways}
        self._parents = links | {path[:length] for path in judged | links for length in range(1, len(path))}
        self.identities = frozenset(identities)  # (device, inode) of hidden directories and files

    def verdict(self, path: Components) -> Verdict:
        """What may be done with a path, by its name."""
        folded = _fold_all(path)
        for length in range(1, len(folded) + 1):
            if folded[:length] in self._hidden:
                return Verdict.HIDDEN
            if folded[:length] in self._read_only:
                return Verdict.READ_ONLY
        return Verdict.PARENT if folded in self._parents else Verdict.FREE

    def hides(self, found: os.stat_result) -> bool:
        """Whether this directory or file is a hidden one, under whatever name."""
        return (found.st_dev, found.st_ino) in self.identities


def build(root: str, hidden: Iterable[str], read_only: Iterable[str]) -> Policy:
    """The policy for the tree below `root`, a path without links, from absolute paths.

    A path counts by its name and by where it leads; so do plain files that links in it lead to, as programs that keep
    settings in one place make them. The root itself, and what is above it, was named by the user.
    """
    links: list[str] = []
    hidden_places = [place for path in hidden for place in _places(path, links)]
    read_only_places = [place for path in read_only for place in _places(path, links)]
    below = [(place, found) for place in hidden_places if (found := components_below(root, place))]
    return Policy(
        [found for _, found in below],
        [found for place in read_only_places if (found := components_below(root, place))],
        [known for place, _ in below if (known := identity(place))],
        [found for place in links if (found := components_below(root, place))],
    )


def _places(path: str, links: list[str]) -> set[str]:
    """All names of what is to be judged with `path`. The links on the ways there are added to `links`."""
    parent, name = os.path.split(path)
    found = {path, os.path.join(os.path.realpath(parent), name), _follow(path, links)}
    return found | {_follow(link, links) for link in _file_links(path, _DEEPEST)}


def _follow(path: str, links: list[str]) -> str:
    """Where an absolute path leads, as os.path.realpath says, and the place of every link on the way to it."""
    at, left = "/", path.split("/")
    for _ in range(_MOST_STEPS):
        if not left:
            break
        part = left.pop(0)
        here = os.path.normpath(os.path.join(at, part))
        try:
            text = os.readlink(here) if part not in ("", ".", "..") else ""
        except OSError:
            text = ""
        if not text:
            at = here
            continue
        links.append(here)
        left = text.split("/") + left
        at = "/" if text.startswith("/") else at
    return at


def _file_links(directory: str, depth: int) -> list[str]:
    """The links to plain files in a directory, and in those below it down to `depth`."""
    found: list[str] = []
    try:
        with os.scandir(directory) as listed:
            for entry in itertools.islice(listed, _MOST_ENTRIES):
                if entry.is_symlink():
                    found += [entry.path] if entry.is_file() else []
                elif depth > 1 and entry.is_dir(follow_symlinks=False):
                    found += _file_links(entry.path, depth - 1)
    except OSError:
        return found
    return found


def identity(path: str) -> tuple[int, int] | None:
    """(device, inode) of what is at a path, links followed; None where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def components_below(root: str, path: str) -> tuple[bytes, ...]:
    """The components of a path below `root`, () when it is not strictly below it."""
    above, parts = _split(root), _split(path)
    if len(parts) <= len(above) or _fold_all(parts[: len(above)]) != _fold_all(above):
        return ()
    return parts[len(above) :]


def _split(path: str) -> tuple[bytes, ...]:
    return tuple(part for part in os.fsencode(os.path.normpath(path)).split(b"/") if part)


def _fold_all(path: Components) -> tuple[str, ...]:
    return tuple(fold(part) for part in path)


@lru_cache(maxsize=4096)
def fold(name: bytes) -> str:
    """A name as file systems compare it that do not tell cases, compositions and invisible characters apart."""
    if name.isascii():
        return name.decode().lower()
    text = unicodedata.normalize("NFKD", name.decode("utf-8", "surrogateescape")).casefold()
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if unicodedata.category(letter) != "Cf")
