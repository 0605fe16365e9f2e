"""Shares in other ones: which are mounted by themselves, and which are served with the one around them. Pure.

A machine mounts the outermost share only. What was shared inside it, by a name of its own, is a part of that mount, in
which its own mode counts, and in which it is seen though it is hidden otherwise. A mount of its own over the other one
would be no boundary: root on the machine could unmount it, and change what is below.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from machine.errors import UsageError
from machine.share.spec import Share, is_within


@dataclass(frozen=True, slots=True)
class Mount:
    """What a machine mounts for one share, and the shares that are served with it."""

    share: Share
    nested: tuple[Share, ...] = ()

    @property
    def writable(self) -> bool:
        """Whether anything in it may be changed; the policy of the mount says what."""
        return self.share.writable or any(share.writable for share in self.nested)


def mounts(shares: Iterable[Share]) -> list[Mount]:
    """Return what is mounted for these shares, in the order of the shares."""
    known = list(shares)
    outermost = [share for share in known if not any(_serves(outer, share) for outer in known)]
    return [Mount(share, tuple(inner for inner in known if _serves(share, inner))) for share in outermost]


def mount_of(share: Share, shares: Iterable[Share]) -> Mount:
    """Return the mount that has this share, one of its own where none of `shares` has it."""
    return next((found for found in mounts(shares) if share in (found.share, *found.nested)), Mount(share))


def check(shares: Iterable[Share], name: str) -> None:
    """Raise UsageError for a share of machine `name` that is inside another one by its path and not by its files."""
    known = list(shares)
    for inner in known:
        for outer in known:
            if _is_below(inner.path, outer.path) and not _serves(outer, inner):
                mode = "rw" if inner.writable else "ro"
                raise UsageError(
                    f"{inner.path} is in {outer.path}, and leads out of it by a link, to {inner.target}",
                    details="the machine has links as they are: that one leads to the same path there",
                    resolution=f"see who made that link; if it is what you mean, share where it leads:"
                    f" machine share {shlex.quote(name)} {shlex.quote(f'{inner.target}:{mode}')}",
                )


def around(share: Share, shares: Sequence[Share]) -> Share | None:
    """Return the innermost of `shares` that `share` is served in, None if there is none."""
    found = [outer for outer in shares if _serves(outer, share)]
    return max(found, key=lambda outer: len(outer.path), default=None)


def _serves(outer: Share, inner: Share) -> bool:
    return _is_below(inner.path, outer.path) and _is_below(inner.target, outer.target)


def _is_below(path: str, directory: str) -> bool:
    return path != directory and is_within(path, directory)
