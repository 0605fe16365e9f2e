"""Which directory is shared, and how: what was typed, and what is in the record. Pure, but for `checked` and `home`."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from machine.errors import UsageError
from machine.share import credentials, kernel_files

NONE = "none"
LONGEST = 1024  # bytes of a path that is shared
_TAG = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Share:
    """A directory of this computer, which a machine has at the same path."""

    path: str  # absolute, as it was typed: links in it are kept, for bind mounts are typed like that, too
    writable: bool
    # What `path` led to when it was shared, without links. Only this is ever served: a machine that may change a
    # directory above could make a link to somewhere else of `path`.
    target: str = ""

    # What names the share on the machine and in the store, by chance: it tells nothing of this computer, stays when its
    # host name changes, and no other store has it.
    tag: str = field(default="", compare=False)

    @property
    def words(self) -> str:
        return f"{self.path} ({'read-write' if self.writable else 'read-only'})"


def parse(text: str, *, writable: bool) -> Share:
    """The share that PATH, PATH:ro or PATH:rw means; `writable` where it says neither.

    Raises UsageError for a path that no machine can have.
    """
    if not text:
        raise UsageError("the path of a directory to share is empty", resolution="name a directory")
    path, _, mode = text.rpartition(":")
    if not path or mode not in ("ro", "rw"):
        path, mode = text, "rw" if writable else "ro"
    path = os.path.normpath(os.path.abspath(os.path.expanduser(path)))
    if path.startswith("//"):
        path = path[1:]
    if path == "/":
        raise UsageError("the whole file system cannot be shared", resolution="name a directory")
    if not path.isprintable() or len(os.fsencode(path)) > LONGEST:
        raise UsageError(f"{path!r} cannot be shared: its name is too long or not printable", resolution="rename it")
    return Share(path, mode == "rw")


def parse_all(texts: Iterable[str], *, writable: bool) -> list[Share]:
    """The shares of several words, the last word for a path being the one that counts; none for `none`.

    Raises UsageError for `none` beside others.
    """
    words = [word for word in texts if word]
    if NONE in words and len(set(words)) > 1:
        raise UsageError("--share none and a directory exclude each other", resolution="leave one of them out")
    return list(
        {share.path: share for share in (parse(word, writable=writable) for word in words if word != NONE)}.values()
    )


def from_record(found: Mapping[str, Any]) -> list[Share]:
    """The shares of a record; what nobody can have typed is left out."""
    shares = []
    for path, about in found.items():
        target = about.get("Target") if isinstance(about, dict) else None
        if isinstance(target, str) and all(_is_plain(one) for one in (path, target)):
            shares.append(Share(path, about.get("Writable") is True, target, _tag(about.get("Tag"), path)))
    return shares


def _tag(found: Any, path: str) -> str:
    """The tag in a record; one of the path in a record that has none."""
    if isinstance(found, str) and _TAG.fullmatch(found):
        return found
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def to_record(shares: Iterable[Share]) -> dict[str, Any]:
    """What stands in a record for these shares."""
    return {share.path: {"Writable": share.writable, "Target": share.target, "Tag": share.tag} for share in shares}


def _is_plain(path: str) -> bool:
    return os.path.isabs(path) and os.path.normpath(path) == path and path not in ("/", "//")


def checked(share: Share, store: str) -> Share:
    """The share with the directory that its path leads to now, and a tag that no other share has.

    Raises UsageError unless there is one, and it is no part of the store of machines.
    """
    target, place = os.path.realpath(share.path), os.path.realpath(store)
    if os.path.lexists(target) and not os.path.isdir(target):
        raise UsageError(f"{share.path} is a file", resolution=f"share {os.path.dirname(target)}, the directory of it")
    if not os.path.isdir(target) or not _is_plain(target):
        raise UsageError(
            f"there is no directory {share.path} to share", resolution=f"mkdir -p {shlex.quote(share.path)}"
        )
    if any(is_within(target, place) for place in kernel_files.places()):
        raise UsageError(f"the files in {share.path} are the kernel's", resolution="share another directory")
    if is_within(target, place):
        raise UsageError(
            f"{share.path} is part of the store, and its keys open every machine: it is never shared",
            resolution="share a directory beside it",
        )
    _check_way(share, target, store)
    return replace(share, target=target, tag=secrets.token_hex(6))


def _check_way(share: Share, target: str, store: str) -> None:
    """Raise UsageError for a link to what is not shared unless it is named: a machine may have made that link."""
    for home_directory in credentials.homes(target):
        protected = credentials.hidden(home_directory, store)
        protected += credentials.read_only(home_directory) if share.writable else []
        for place in protected:
            real = os.path.realpath(place)
            if is_within(target, real) and not is_within(share.path, place) and not is_within(share.path, real):
                raise UsageError(
                    f"{share.path} is a link to {target}, which is protected unless it is named",
                    resolution=f"see who made that link; if it is what you mean, share {target}",
                )


def is_within(path: str, directory: str) -> bool:
    """Whether an absolute path is a directory or below it, by their names."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def home(environ: Mapping[str, str]) -> str:
    """The home directory, where a machine can have it at the same path; "" otherwise: its root has /root itself."""
    path = os.path.normpath(environ.get("HOME") or os.path.expanduser("~"))
    return path if os.path.isabs(path) and path not in ("/", "/root") and os.path.isdir(path) else ""
