"""Networks and volumes of several engines in one list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from machine.swarm.api.scope import is_spanning
from machine.swarm.merge.node_info import Answers, Json, NodeInfo
from machine.swarm.merge.values import list_of, object_of, objects

NO_NAMES: Collection[str] = ()


def shared_names(lists: Iterable[Iterable[Json]]) -> frozenset[str]:
    """Return the names that mean a network or a volume of its own on several engines; a list has those of one."""
    count = Counter(name for things in lists for name in {str(t.get("Name")) for t in things if not is_spanning(t)})
    return frozenset(name for name, times in count.items() if times > 1)


def merge_networks(answers: Answers, shared: Collection[str] = NO_NAMES, *, one_per_name: bool = False) -> list[Json]:
    """Return the networks of GET /networks of all engines, each once by its id.

    Those of one engine whose names are in `shared` are called NODE/NAME. With `one_per_name` the engines' networks of
    one name stand for one network, as an aggregate makes it on every engine: its containers are those of all.
    """
    merged: dict[str, Json] = {}
    for node, items in answers:
        for network in objects(items):
            spanning = is_spanning(network)
            key = f"/{network.get('Name')}" if one_per_name and not spanning else str(network.get("Id"))
            known = merged.get(key)
            if known is None:
                merged[key] = network if spanning else display_form(network, node, shared)
            elif isinstance(network.get("Containers"), dict):
                merged[key] = {**known, "Containers": {**object_of(known.get("Containers")), **network["Containers"]}}
    return list(merged.values())


def merge_volumes(answers: Answers, shared: Collection[str] = NO_NAMES) -> Json:
    """Return the answers to GET /volumes of all engines as one, with the warnings of each after its name.

    There is one volume per name; those of one engine whose names are in `shared` are called NODE/NAME.
    """
    merged: dict[str, Json] = {}
    warnings: list[str] = []
    for node, answer in answers:
        for volume in objects(object_of(answer).get("Volumes")):
            entry = volume if is_spanning(volume) else display_form(volume, node, shared)
            merged.setdefault(str(entry.get("Name")), entry)
        warnings += [f"{node.name}: {text}" for text in list_of(object_of(answer).get("Warnings"))]
    return {"Volumes": list(merged.values()), "Warnings": warnings or None}


def display_form(network_or_volume: Json, node: NodeInfo, shared: Collection[str]) -> Json:
    """Return a network or a volume of one engine under the name that lists show."""
    name = str(network_or_volume.get("Name"))
    return {**network_or_volume, "Name": display_name(node, name, shared)} if name in shared else network_or_volume


def display_name(node: NodeInfo, name: str, shared: Collection[str]) -> str:
    """Return NODE/NAME for a name that several engines have, else NAME."""
    return f"{node.name}/{name}" if name in shared else name
