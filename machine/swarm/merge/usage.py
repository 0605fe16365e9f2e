"""Disk usage, answers of prune, and plugins of several engines as one."""

from __future__ import annotations

from collections.abc import Collection

from machine.swarm.merge.containers import merge_containers
from machine.swarm.merge.images import merge_used_images
from machine.swarm.merge.node_info import Answers, Json, NodeInfo
from machine.swarm.merge.objects import NO_NAMES, display_name, merge_volumes
from machine.swarm.merge.values import object_of, objects, total

_LISTS = ("Images", "Containers", "Volumes")  # of a disk usage
_NAMES = ("NetworksDeleted", "VolumesDeleted")  # lists of names, not of ids


def merge_disk_usage(answers: Answers, shared: Collection[str] = NO_NAMES, *, always_qualified: bool) -> Json:
    """Return the answers to GET /system/df as one: sizes added up, lists as in the lists of their own.

    Keys that are not known here, such as those of a newer API, are merged by the kind of their values. `shared` are the
    names of volumes, `always_qualified` is that of `merge_containers`.
    """
    answers = [(node, answer) for node, answer in answers if isinstance(answer, dict)]
    other_fields = [{key: value for key, value in answer.items() if key not in _LISTS} for _, answer in answers]
    merged: Json = total(other_fields) or {}
    for key in _LISTS:
        lists = [(node, answer[key]) for node, answer in answers if isinstance(answer.get(key), list)]
        if not lists:
            merged.update(dict.fromkeys([key for _, answer in answers if key in answer]))
        elif key == "Images":
            merged[key] = merge_used_images(items for _, items in lists)
        elif key == "Containers":
            merged[key] = merge_containers(lists, always_qualified=always_qualified)
        else:
            merged[key] = merge_volumes(((node, {key: items}) for node, items in lists), shared)[key]
    return merged


def merge_prune(answers: Answers, shared: Collection[str] = NO_NAMES) -> Json:
    """Return the answers to any of the five calls of prune as one; names in `shared` as NODE/NAME."""
    return total(_qualify_names(node, object_of(answer), shared) for node, answer in answers) or {}


def _qualify_names(node: NodeInfo, answer: Json, shared: Collection[str]) -> Json:
    lists = {key: answer[key] for key in _NAMES if isinstance(answer.get(key), list)}
    return {**answer, **{key: [display_name(node, str(name), shared) for name in lists[key]] for key in lists}}


def merge_plugins(answers: Answers) -> list[Json]:
    """Return the plugins of all engines, each name once."""
    return list({str(plugin.get("Name")): plugin for _, items in answers for plugin in objects(items)}.values())
