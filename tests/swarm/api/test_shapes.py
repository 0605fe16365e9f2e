"""machine.swarm.api.shapes: a long list, looked at column by column, passes if and only if each of its entries does."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from machine.swarm.api.response_shapes import CONTAINER, IMAGE, NETWORK
from machine.swarm.api.shapes import Check, WrongShape, a_list
from machine.swarmd.simulator.engine import SimulatedEngine

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.0, 70_000, 2**63, -(2**70), "", "x", "a b", "a\nb", "\x1b[m", "a" * 300,
    [], [None], [1], ["x"], [[]], {}, {"a": 1}, {"a": None}, {"a": {}}, {"a" * 300: {}},
)  # fmt: skip
MORE: dict[str, dict[str, Any]] = {
    "/containers/json": {
        "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}, {"PrivatePort": 443}],
        "Mounts": [{"Type": "volume", "Name": "data", "RW": True}],
        "SizeRw": 1,
    },
    "/images/json": {"RepoDigests": ["busybox@sha256:1", "b@sha256:2"], "Labels": {"a": "b"}},
    "/networks": {
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.0.0.0/8"}]},
        "Containers": {"a" * 64: {"Name": "x"}, "b" * 64: {"Name": "y"}},
    },
}


def listed(path: str, count: int) -> list[dict[str, Any]]:
    """What an engine lists, every second entry with more fields than it simulates."""
    entries = json.loads(SimulatedEngine("n1", count).answer("GET", path, b"").body)
    entries = [copy.deepcopy(entries[number % len(entries)]) for number in range(count)]
    return [{**entry, **copy.deepcopy(MORE[path])} if number % 2 else entry for number, entry in enumerate(entries)]


def complaint(check: Check, value: Any) -> str:
    """What a check has against a value; "" if nothing."""
    try:
        check(value)
    except WrongShape as error:
        return str(error)
    return ""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or object in a value, with each key of it."""
    for key in range(len(value)) if isinstance(value, list) else list(value):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def spoil(chance: random.Random, entry: dict[str, Any]) -> None:
    """Put something odd somewhere into an entry, take a field away, or call one by another name."""
    where, key = chance.choice(list(places(entry)))
    what = chance.randrange(4)
    if what == 0 and isinstance(where, dict):
        where[key.swapcase()] = where.pop(key)
    elif what == 1 and isinstance(where, dict):
        del where[key]
    elif what == 2 and isinstance(where, dict):
        where[chance.choice(("Unknown", "names", "\u017ftate"))] = copy.deepcopy(chance.choice(ODD))
    else:
        where[key] = copy.deepcopy(chance.choice(ODD))


@pytest.mark.parametrize(
    ("path", "item"), [("/containers/json", CONTAINER), ("/images/json", IMAGE), ("/networks", NETWORK)]
)
def test_a_list_passes_if_each_entry_does(path: str, item: Check) -> None:
    check = a_list(item)
    chance = random.Random(path)  # noqa: S311 (no secret)
    good = listed(path, 12)
    assert not complaint(check, good)
    refused = 0
    for _ in range(2000):
        entries = copy.deepcopy(good)
        for _ in range(chance.choice((1, 1, 2))):
            spoil(chance, chance.choice(entries))
        found = [f"[{number}]{why}" for number, entry in enumerate(entries) if (why := complaint(item, entry))]
        assert complaint(check, entries) == (found[0] if found else "")
        refused += bool(found)
    assert 200 < refused < 1800


@pytest.mark.parametrize("odd", [None, [], "x", 1])
def test_an_entry_of_another_kind_is_refused_wherever_it_stands(odd: Any) -> None:
    good = listed("/containers/json", 12)
    for place in (0, 5, 11):
        assert complaint(a_list(CONTAINER), [*good[:place], odd, *good[place + 1 :]]).startswith(f"[{place}] is not")


def test_a_field_that_is_true_in_one_entry_and_one_in_another_is_refused() -> None:
    good = listed("/containers/json", 12)
    for odd in (True, 1.0):
        entries = [{**entry, "SizeRw": odd if number == 7 else 1} for number, entry in enumerate(good)]
        assert complaint(a_list(CONTAINER), entries) == "[7].SizeRw is not a whole number"
