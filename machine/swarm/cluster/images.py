"""Which images an engine has, what a name means there, and which image a name means in the whole cluster. Pure.

Engines that build have different images under one tag. A client that speaks to one endpoint means the one that it
made last through that endpoint: `NewestTags` remembers it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from machine.swarm.merge.images import NO_DIGEST, NO_TAG
from machine.swarm.parsing.image_name import familiar, without_tag

MAX_REMEMBERED_TAGS = 100_000  # tags of which the newest image is remembered; more are not in use at one time
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{2,64})\Z")  # an id, or its beginning; one letter would mean far too many


class ImageTable:
    """The images of one engine, from its answer to GET /images/json. `tags` has the image id of every tag."""

    __slots__ = ("_digests", "ids", "tags")

    def __init__(self, images: Iterable[Mapping[str, Any]] = ()) -> None:
        self.tags: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self.ids: list[str] = []
        for image in images:
            identity = str(image.get("Id") or "")
            self.ids.append(identity)
            self.tags.update((str(tag), identity) for tag in image.get("RepoTags") or () if tag != NO_TAG)
            self._digests.update((str(d), identity) for d in image.get("RepoDigests") or () if d != NO_DIGEST)

    def names(self) -> Iterator[str]:
        """What an expression `affinity:image==` may call them: ids, tags, repositories, digests."""
        yield from self.ids
        for tag in self.tags:
            yield tag
            yield without_tag(tag)
        yield from self._digests

    def find(self, name: str) -> list[str]:
        """The ids of the images that `name` may mean: one by tag or digest, several by the beginning of an id."""
        known = familiar(name)
        found = self.tags.get(known) or self._digests.get(known)
        if found:
            return [found]
        id_prefix = _ID.match(name)
        if id_prefix is None:
            return []
        return [identity for identity in self.ids if identity.removeprefix("sha256:").startswith(id_prefix[1])]


class NewestTags:
    """The images that tags mean since they were last built, tagged, loaded or pulled through this endpoint.

    A tag may mean several: a pull brings each engine the image of its own architecture.
    """

    def __init__(self) -> None:
        self.changes = 0  # counts what was noted
        self._ids: OrderedDict[str, frozenset[str]] = OrderedDict()

    def note(self, tag: str, ids: Iterable[str]) -> None:
        """Note that the tag means these images from now on; nothing changes when there are none."""
        found = frozenset(ids)
        if found:
            self.changes += 1
            self._ids[tag] = found
            self._ids.move_to_end(tag)
        while len(self._ids) > MAX_REMEMBERED_TAGS:
            self._ids.popitem(last=False)

    def of(self, name: str, tables: Iterable[ImageTable]) -> frozenset[str]:
        """The images that a name means now; none when that was never noted, or no engine has it so any more.

        The tables are looked at only if something was noted.
        """
        tag = familiar(name)
        noted = self._ids.get(tag)
        if noted is None or not any(table.tags.get(tag) in noted for table in tables):
            return frozenset()
        return noted

    def superseded_tags(self, tables: Iterable[ImageTable]) -> set[tuple[str, str]]:
        """(tag, image id) of every image that has a tag on some engine which means another image now."""
        older: set[tuple[str, str]] = set()
        current: set[str] = set()
        for table in tables if self._ids else ():
            for tag, identity in table.tags.items():
                noted = self._ids.get(tag)
                if noted is not None and identity in noted:
                    current.add(tag)
                elif noted is not None:
                    older.add((tag, identity))
        return {(tag, identity) for tag, identity in older if tag in current}


def changed_tags(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The tags that are new, or mean another image than before."""
    return [tag for tag, identity in after.items() if before.get(tag) != identity]


def without_superseded(images: list[dict[str, Any]], old: set[tuple[str, str]], *, api: tuple[int, int]) -> None:
    """Take the tags that mean another image now off the entries, in place, as one engine does when a tag moves.

    What is left without any name says so as engines of that API version do.
    """
    if not old:
        return
    for image in images:
        tags = image.get("RepoTags")
        kept = [tag for tag in tags or () if (tag, image.get("Id")) not in old]
        if tags and len(kept) < len(tags):
            nameless = not kept and api < (1, 43)  # since then an empty list stands for no name
            image["RepoTags"] = [NO_TAG] if nameless else kept
            if nameless and not image.get("RepoDigests"):
                image["RepoDigests"] = [NO_DIGEST]


def is_dangling(image: Mapping[str, Any]) -> bool:
    """Whether no tag names the image."""
    return all(tag == NO_TAG for tag in image.get("RepoTags") or ())
