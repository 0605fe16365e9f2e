"""Images of several engines in one list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from machine.swarm.merge.node_info import Json
from machine.swarm.merge.values import list_of, number, objects

NO_TAG, NO_DIGEST = "<none>:<none>", "<none>@<none>"


def merge_images(lists: Iterable[Any]) -> list[Json]:
    """Return the answers to GET /images/json of several engines as one list, newest first.

    There is one entry per id, with the tags and digests of all; the placeholders for none give way to what there is. A
    list that no engine has (null) stays null, as clients know it from one engine.
    """
    merged: dict[str, Json] = {}
    for image in (image for images in lists for image in objects(images)):
        entry = merged.setdefault(str(image.get("Id")), dict(image))
        if entry.get("RepoTags") == image.get("RepoTags") and entry.get("RepoDigests") == image.get("RepoDigests"):
            continue
        for key, nothing in (("RepoTags", NO_TAG), ("RepoDigests", NO_DIGEST)):
            united = dict.fromkeys(map(str, [*list_of(entry.get(key)), *list_of(image.get(key))]))
            if len(united) > 1:
                united.pop(nothing, None)
            if united or entry.get(key) is not None:
                entry[key] = list(united)
            elif key in image:
                entry[key] = image[key]
    return sorted(merged.values(), key=lambda image: number(image.get("Created")), reverse=True)


def merge_used_images(lists: Iterable[Any]) -> list[Json]:
    """Return the images of several answers to GET /system/df, each with the number of containers that all have of it.

    An engine that has not counted them says -1.
    """
    lists = [objects(images) for images in lists]
    count: Counter[str] = Counter()
    for image in (image for images in lists for image in images):
        count[str(image.get("Id"))] += max(number(image.get("Containers")), 0)
    found = merge_images(lists)
    for image in found:
        counted = image.get("Containers")
        if isinstance(counted, int) and counted >= 0:
            image["Containers"] = count[str(image.get("Id"))]
    return found
