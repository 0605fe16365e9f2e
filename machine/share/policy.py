"""Which paths of a shared tree a machine sees, and which it may change. Pure, but for `identity`.

Paths are judged by their names as the file systems of macOS compare them, so that no other spelling of a hidden name
passes; hidden directories that exist are known by their device and inode, too, whatever they are called by then. The
parents of a judged path can be neither moved nor replaced, so that it is found where it was.
"""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

Components = Sequence[bytes]
_MOST_STEPS = 1000  # components of a path with those of the links on it
_DEEPEST, _MOST_ENTRIES = 3, 500  # directories below a judged one, and entries of each, in which links are looked for


class Verdict(Enum):
    """What a machine may do with a path."""

    FREE = "free"
    HIDDEN = "hidden"  # it looks as if there were nothing, and nothing can be put there
    READ_ONLY = "read-only"
    PARENT = "parent"  # of one of those, or a link on the way to it: it stays what it is, and where


_STRICTER = (Verdict.FREE, Verdict.PARENT, Verdict.READ_ONLY, Verdict.HIDDEN)


class Policy:
    """The paths below one root that are hidden or read-only, and the links on the `ways` to them.

    All are given as components below the root. `nested` are roots inside this one with a policy of their own, which
    counts there instead of this one; `kept` are the paths that lead to them, with the identity of what is there: they
    stay what they are, and are seen.
    """

    def __init__(
        self,
        hidden: Iterable[Components] = (),
        read_only: Iterable[Components] = (),
        identities: Collection[tuple[int, int]] = (),
        ways: Iterable[Components] = (),
        *,
        writable: bool = True,
        nested: Mapping[tuple[bytes, ...], Policy] | None = None,
        kept: Mapping[tuple[bytes, ...], tuple[int, int] | None] | None = None,
    ) -> None:
        self._hidden = {_fold_all(path) for path in hidden}
        self._read_only = {_fold_all(path) for path in read_only}
        judged = self._hidden | self._read_only
        links = {_fold_all(path) for path in ways}
        self._parents = links | {path[:length] for path in judged | links for length in range(1, len(path))}
        self.identities = frozenset(identities)  # (device, inode) of hidden directories and files
        self.writable = writable
        self._nested, self._kept = dict(nested or {}), dict(kept or {})
        self._folded = {_fold_all(path): (path, policy) for path, policy in self._nested.items()}
        self._folded_kept = {_fold_all(path) for path in self._kept}

    def verdict(self, path: Components) -> Verdict:
        """What may be done with a path, by its name.

        Another spelling of a nested root may be a directory of its own: what is stricter counts there.
        """
        parts, folded = tuple(path), _fold_all(path)
        exact, policy = self._policy_at(parts)
        found = policy._verdict_in(folded, len(exact))
        near, other = next(
            (self._folded[folded[:length]] for length in range(len(folded), 0, -1) if folded[:length] in self._folded),
            ((), self),
        )
        if other is not policy:
            found = max(found, other._verdict_in(folded, len(near)), key=_STRICTER.index)
        if parts in self._kept:
            return Verdict.READ_ONLY if found in (Verdict.HIDDEN, Verdict.READ_ONLY) else Verdict.PARENT
        return max(found, Verdict.PARENT, key=_STRICTER.index) if folded in self._folded_kept else found

    def _policy_at(self, parts: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], Policy]:
        """The root that counts at a path, and its policy."""
        for length in range(len(parts), 0, -1):
            if parts[:length] in self._nested:
                return parts[:length], self._nested[parts[:length]]
        return (), self

    def _verdict_in(self, folded: tuple[str, ...], length: int) -> Verdict:
        """The verdict on a folded path whose first `length` components lead to the root of this policy."""
        below = folded[length:]
        beginnings = [below[:number] for number in range(1, len(below) + 1)]
        if any(path in self._hidden for path in beginnings):
            return Verdict.HIDDEN
        if not self.writable or any(path in self._read_only for path in beginnings):
            return Verdict.READ_ONLY
        return Verdict.PARENT if below in self._parents or (length and not below) else Verdict.FREE

    def hides(self, found: os.stat_result, path: Components) -> bool:
        """Whether the directory or file at a path is a hidden one, under whatever name."""
        identity, parts = (found.st_dev, found.st_ino), tuple(path)
        return identity in self._policy_at(parts)[1].identities and self._kept.get(parts) != identity


def build(
    root: str,
    hidden: Iterable[str],
    read_only: Iterable[str],
    *,
    writable: bool = True,
    nested: Iterable[tuple[str, str, bool]] = (),
    of_kernel: Iterable[str] = (),
) -> Policy:
    """The policy for the tree below `root`, a path without links, from absolute paths.

    A path counts by its name and by where it leads; so do plain files that links in it lead to, as programs that keep
    settings in one place make them. The root itself, and what is above it, was named by the user; so were the `nested`
    roots, each (its path as it was typed, where that leads, whether it is writable). The directories `of_kernel` are
    hidden, too, and no links are looked for in them: in /proc there is one to every file that some process has open.
    """
    links: list[str] = []
    hidden_places = [place for path in hidden for place in _places(path, links)]
    hidden_places += [place for path in of_kernel for place in {path, os.path.realpath(path)}]
    read_only_places = [place for path in read_only for place in _places(path, links)]

    def policy_of(place: str, *, writable: bool, **inner: Any) -> Policy:
        below = [(path, found) for path in hidden_places if (found := components_below(place, path))]
        return Policy(
            [found for _, found in below],
            [found for path in read_only_places if (found := components_below(place, path))],
            [known for path, _ in below if (known := identity(path))],
            [found for path in links if (found := components_below(place, path))],
            writable=writable,
            **inner,
        )

    policies: dict[tuple[bytes, ...], Policy] = {}
    kept: dict[tuple[bytes, ...], tuple[int, int] | None] = {}
    for path, target, may_change in nested:
        policies[components_below(root, target)] = policy_of(target, writable=may_change)
        kept |= _kept(root, path, target)
    policies.pop((), None)
    return policy_of(root, writable=writable, nested=policies, kept=kept)


def _kept(root: str, path: str, target: str) -> dict[tuple[bytes, ...], tuple[int, int] | None]:
    """What is on the ways from `root` to the target of a path: directories, and the links that were typed."""
    links: list[str] = []
    _follow(path, links)
    found = {}
    for place in (target, *links):
        parts = components_below(root, place)
        for length in range(1, len(parts) + (place != target)):
            found[parts[:length]] = identity(os.path.join(os.fsencode(root), *parts[:length]))
    return found


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


def identity(path: str | bytes) -> tuple[int, int] | None:
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
