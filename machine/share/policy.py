"""Which paths of a shared tree a machine sees, and which it may change. Pure, but for `identity`.

Paths are judged by their names as the file systems of macOS compare them, so that no other spelling of a hidden name
passes; hidden directories that exist are known by their device and inode, too, whatever they are called by then. The
parents of a judged path can be neither moved nor replaced, so that it is found where it was.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from functools import lru_cache

Components = Sequence[bytes]


class Verdict(Enum):
    """What a machine may do with a path."""

    FREE = "free"
    HIDDEN = "hidden"  # it looks as if there were nothing, and nothing can be put there
    READ_ONLY = "read-only"
    PARENT = "parent"  # of one of those: a directory that stays where it is


class Policy:
    """The paths below one root that are hidden or read-only; both are given as components below it."""

    def __init__(
        self,
        hidden: Iterable[Components] = (),
        read_only: Iterable[Components] = (),
        identities: Collection[tuple[int, int]] = (),
    ) -> None:
        self._hidden = {_fold_all(path) for path in hidden}
        self._read_only = {_fold_all(path) for path in read_only}
        judged = self._hidden | self._read_only
        self._parents = {path[:length] for path in judged for length in range(1, len(path))}
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

    A path counts by its name and by where it leads. The root itself, and what is above it, was named by the user.
    """
    hidden_paths = [place for path in hidden for place in {path, os.path.realpath(path)}]
    read_only_paths = [place for path in read_only for place in {path, os.path.realpath(path)}]
    below = [(place, found) for place in hidden_paths if (found := components_below(root, place))]
    identities = [known for place, _ in below if (known := identity(place))]
    return Policy(
        [found for _, found in below],
        [found for place in read_only_paths if (found := components_below(root, place))],
        identities,
    )


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
