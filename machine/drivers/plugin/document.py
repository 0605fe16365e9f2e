"""The Driver object in config.json: the plugin's own JSON, whole, so that docker-machine reads it too, and our notes.

The notes are in its key MachinePlugin: {"Create": "", "begun" or "done", "Flags": what create was told, secrets and
defaults left out, "Secrets": where in the JSON the secrets belong}. What docker-machine wrote has no such key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from machine.drivers.plugin import flags
from machine.options import Option, Values

NOTES = "MachinePlugin"
SWARM = ("SwarmMaster", "SwarmHost", "SwarmDiscovery")  # the caller's to write
NESTING = 64  # objects and lists in each other in a plugin's JSON; published plugins have four
_FLAG = "--"  # keys of ours that begin so hold secrets which the plugin's JSON has no place for


def new_document(config: Mapping[str, Any], values: Values, declared: Sequence[Option]) -> dict[str, Any]:
    """The Driver object of a new machine: what the plugin made of the flags, and the notes."""
    data = {key: value for key, value in config.items() if key != NOTES}
    places = flags.hidden_places(data, values, declared)
    for option in declared:
        if option.secret and values[option.name] and option.name not in {place["Flag"] for place in places}:
            data[_FLAG + option.name] = values[option.name]
            places.append({"Key": _FLAG + option.name, "Flag": option.name, "Variable": option.env})
    given = {
        option.name: values[option.name]
        for option in declared
        if not option.secret and values[option.name] != _default(option)
    }
    data[NOTES] = {"Create": "", "Flags": given, "Secrets": places}
    note_secrets(data)
    return data


def reset(data: Mapping[str, Any], name: str, store_root: str) -> dict[str, Any]:
    """The Driver object of a machine of which the platform has nothing left: the notes, without the plugin's JSON."""
    kept = {key: value for key, value in data.items() if key in (NOTES, *SWARM) or key.startswith(_FLAG)}
    return {**kept, "MachineName": name, "StorePath": store_root}


def plugin_config(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plugin's own JSON: the Driver object without our notes and secrets."""
    return {key: value for key, value in data.items() if key != NOTES and not key.startswith(_FLAG)}


def is_too_deep(data: Mapping[str, Any]) -> bool:
    """Whether the JSON is nested deeper than NESTING levels."""
    level: list[Any] = [data]
    for _ in range(NESTING):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    return bool(level)


def stage(data: Mapping[str, Any]) -> str:
    """How far the plugin's Create has come; what docker-machine wrote counts as done."""
    return str((data.get(NOTES) or {"Create": "done"}).get("Create", ""))


def create_args(data: Mapping[str, Any], declared: Sequence[Option]) -> dict[str, Any]:
    """What create was told, every option's value."""
    texts = dict(flags.texts(data))
    places = [place for place in data[NOTES]["Secrets"] if place["Flag"]]
    values: dict[str, Any] = {option.name: _default(option) for option in declared} | data[NOTES]["Flags"]
    for place in places:  # a secret may stand in several places, and one of them be empty by now
        values[place["Flag"]] = texts.get(place["Key"]) or values.get(place["Flag"], "")
    return values


def note_secrets(data: dict[str, Any]) -> None:
    """Note what else in the plugin's JSON is secret by its name."""
    if NOTES in data:
        places = data[NOTES]["Secrets"]
        known = {place["Key"] for place in places}
        places += [place for place in flags.secret_places(plugin_config(data)) if place["Key"] not in known]


def secret_options(data: Mapping[str, Any]) -> tuple[Option, ...]:
    """The secrets of this object, each with its key; known without the program."""
    return tuple(
        Option(place["Flag"], env=place["Variable"], secret=True, key=place["Key"])
        for place in (data.get(NOTES) or {}).get("Secrets", ())
    )


def to_record(data: Mapping[str, Any]) -> dict[str, Any]:
    """The object for the record: secrets inside objects are moved to dotted top-level keys, which the store hides."""
    found: dict[str, Any] = json.loads(json.dumps(data))
    texts = dict(flags.texts(found))
    for key in _inner(found):
        flags.set_at(found, key, "")
        found[key] = texts.get(key, "")
    return found if NOTES not in found else {key: value for key, value in found.items() if key not in SWARM}


def from_record(data: Mapping[str, Any]) -> dict[str, Any]:
    """The object out of a record: secrets under dotted keys are moved back into their objects, see `to_record`."""
    found: dict[str, Any] = json.loads(json.dumps(data))
    for key in _inner(found):
        flags.set_at(found, key, found.pop(key, ""))
    return found


def _inner(data: Mapping[str, Any]) -> list[str]:
    keys = [option.key for option in secret_options(data)]
    return [key for key in keys if "." in key and not key.startswith(_FLAG)]


def _default(option: Option) -> Any:
    return option.empty if option.default is None else option.default
