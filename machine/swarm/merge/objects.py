"""Networks and volumes of several engines in one list."""

from __future__ import annotations

from collections.abc import Collection

from machine.swarm.api.scope import is_spanning
from machine.swarm.merge.names import display_name
from machine.swarm.merge.node_info import Answers, Json, NodeInfo
from machine.swarm.merge.values import list_of, object_of, objects

NOBODY: Collection[str] = ()


def merge_networks(answers: Answers, shared: Collection[str] = NOBODY, *, one_per_name: bool = False) -> list[Json]:
    """Return the networks of GET /networks of all engines, each once by its id.

    Those of one engine whose names are in `shared` are called NODE/NAME. With `one_per_name` the engines' networks of
    one name stand for one network, as an aggregate makes it on every engine: its containers are those of all.
    """
    found: dict[tuple[str, bool], Json] = {}
    for node, items in answers:
        for network in objects(items):
            by_name = one_per_name and not is_spanning(network)
            key = (str(network.get("Name" if by_name else "Id")), by_name)
            known = found.get(key)
            if known is None:
                found[key] = display_form(network, node, shared)
            elif isinstance(network.get("Containers"), dict):
                found[key] = {**known, "Containers": {**object_of(known.get("Containers")), **network["Containers"]}}
    return list(found.values())


def merge_volumes(answers: Answers, shared: Collection[str] = NOBODY) -> Json:
    """Return the answers to GET /volumes of all engines as one, with the warnings of each after its name.

    There is one volume per name; those of one engine whose names are in `shared` are called NODE/NAME.
    """
    found: dict[str, Json] = {}
    warnings: list[str] = []
    for node, answer in answers:
        for volume in objects(object_of(answer).get("Volumes")):
            entry = display_form(volume, node, shared)
            found.setdefault(str(entry.get("Name")), entry)
        warnings += [f"{node.name}: {text}" for text in list_of(object_of(answer).get("Warnings"))]
    return {"Volumes": list(found.values()), "Warnings": warnings or None}


def display_form(thing: Json, node: NodeInfo, shared: Collection[str]) -> Json:
    """Return a network or a volume under the name that lists show."""
    name = str(thing.get("Name"))
    shown = name if not shared or is_spanning(thing) else display_name(node.name, name, shared)
    return thing if shown == name else {**thing, "Name": shown}
