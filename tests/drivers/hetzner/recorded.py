"""What Hetzner's answers look like, by those that hcloud's source package has recorded (data/cut.py), and a judge.

Recordings of different years have different keys: an answer must have all of them, the newer ones as well.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "recorded.json"
KINDS = (
    *("action", "firewall", "image", "location", "network", "placement_group", "primary_ip"),
    *("server", "server_type", "ssh_key", "volume"),
)
BARE = {"images/conftest.py": "image", "primary_ips/conftest.py": "primary_ip", "conftest.py": "action"}  # no wrapping
WHOLE = {"server.image", "server.server_type", "server.placement_group", "server.location"}  # as their kind is
FREE = {"labels"}  # whatever the user likes
NULL = {  # null in what is documented, and in no recording
    "server.public_net.ipv4": "of a server without one",
    "server.public_net.ipv6": "of a server without one",
    "server.placement_group": "of a server in none",
    "server.backup_window": "of a server without backups",
    "firewall.rules[].port": "of icmp",
    "volume.server": "of a volume that is free",
    "volume.format": "of a volume without a file system",
    "image.deprecated": "of an image that is not",
}
MORE = {"server.location": "since 2025-12, where a server was in a datacenter before"}  # documented, in no recording
VARIANTS = {"firewall.applied_to[]", "server.protection", "image.protection", "server.iso"}  # one set of keys of many


@dataclass
class Shape:
    """What stands at one place of the recordings."""

    kinds: set[str] = field(default_factory=set)
    keys: dict[str, Shape] = field(default_factory=dict)
    variants: set[frozenset[str]] = field(default_factory=set)
    items: Shape | None = None

    def learn(self, value: Any) -> None:
        """One more recording of it."""
        self.kinds.add(kind_of(value))
        if isinstance(value, dict):
            self.variants.add(frozenset(value))
            for key, inner in value.items():
                self.keys.setdefault(key, Shape()).learn(inner)
        if isinstance(value, list):
            self.items = self.items or Shape()
            for inner in value:
                self.items.learn(inner)


def kind_of(value: Any) -> str:
    """The kind of a JSON value."""
    names = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return names.get(type(value), "null")


def things(name: str, answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each thing of a recorded answer with its kind."""
    bare = BARE.get(name.partition(" ")[0])
    if bare and len(answer) > 3:
        yield bare, answer
    for key, value in answer.items():
        kind = "action" if key in ("actions", "next_actions") else key.removesuffix("s")
        if kind in KINDS:
            yield from ((kind, one) for one in (value if isinstance(value, list) else [value]))


@functools.cache
def shapes() -> dict[str, Shape]:
    """The shape of every kind; and of an error."""
    found = {kind: Shape() for kind in (*KINDS, "error")}
    for name, answers in json.loads(DATA.read_text())["answers"].items():
        for answer in answers:
            for kind, thing in things(name, answer):
                found[kind].learn(thing)
                for place in WHOLE:
                    owner, _, key = place.partition(".")
                    if owner == kind and isinstance(thing.get(key), dict):
                        found[key].learn(thing[key])
            if "error" in answer and "id" not in answer:
                found["error"].learn(answer["error"])
    return found


def wrong(answer: Any) -> list[str]:
    """What in an answer is not as it was recorded: a key too few or too many, a value of another kind."""
    found: list[str] = []
    if not isinstance(answer, dict):
        return ["it is no object"]
    for kind, thing in things("", answer):
        found += differences(shapes()[kind], thing, kind)
    if "error" in answer:
        found += differences(shapes()["error"], answer["error"], "error")
    extra = set(answer) - {
        "meta",
        "error",
        "root_password",
        "actions",
        "next_actions",
        *KINDS,
        *(f"{k}s" for k in KINDS),
    }
    return found + [f"the answer has {key}" for key in sorted(extra)]


def differences(shape: Shape, value: Any, place: str) -> list[str]:
    """The places at which a value differs from its recordings."""
    if place in WHOLE and isinstance(value, dict):
        return differences(shapes()[place.partition(".")[2]], value, place.partition(".")[2])
    kind = kind_of(value)
    if kind not in shape.kinds and not (kind == "null" and place in NULL):
        return [f"{place} is {kind}, and was {' or '.join(sorted(shape.kinds)) or 'never seen'}"]
    found: list[str] = []
    if isinstance(value, dict) and place.rpartition(".")[2] not in FREE:
        if place in VARIANTS or place == "error":
            found += [f"{place} has {sorted(value)}"] * (frozenset(value) not in shape.variants)
        else:
            found += [f"{place} lacks {key}" for key in sorted(shape.keys.keys() - value.keys())]
        for key, inner in value.items():
            if key in shape.keys:
                found += differences(shape.keys[key], inner, f"{place}.{key}")
            elif f"{place}.{key}" not in MORE:
                found.append(f"{place} has {key}, which was never seen")
            else:
                found += (
                    differences(Shape({kind_of(inner)}), inner, f"{place}.{key}") if isinstance(inner, dict) else []
                )
    if isinstance(value, list):
        for inner in value:
            found += (
                differences(shape.items or Shape(), inner, f"{place}[]") if shape.items else [f"{place} has entries"]
            )
    return found
