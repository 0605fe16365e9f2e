from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.events import Effect, JsonStream, effect, encode, own, passes
from machine.swarm.merge.events import mark_event
from machine.swarm.merge.node_info import NodeInfo

NODE = NodeInfo("n1", "I|a:1", "a:1", "a")


def event(kind: str, action: str, key: str = "k", **attributes: str) -> dict[str, Any]:
    return {"Type": kind, "Action": action, "Actor": {"ID": key, "Attributes": attributes}, "time": 1}


values = st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.integers(), max_size=3)


@given(st.lists(values, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.integers(1, 7))
def test_whole_in_pieces_and_byte_by_byte(objects: list[dict[str, Any]], end: bytes, size: int) -> None:
    data = b"".join(json.dumps(o).encode() + end for o in objects)
    assert JsonStream().feed(data) == objects
    for step in (1, size):
        lines = JsonStream()
        found = [o for start in range(0, len(data), step) for o in lines.feed(data[start : start + step])]
        assert found == objects


@given(st.lists(values, min_size=1, max_size=4))
def test_objects_without_line_ends(objects: list[dict[str, Any]]) -> None:
    assert JsonStream().feed(b"".join(json.dumps(o).encode() for o in objects)) == objects


def test_a_tail_waits_for_its_end() -> None:
    lines = JsonStream()
    assert lines.feed(b'{"a":1}\n{"b":{"c":2}') == [{"a": 1}]
    assert lines.feed(b"}\n") == [{"b": {"c": 2}}]


@pytest.mark.parametrize("data", [b"nonsense\n", b"[1]\n", b'{"a":}\n', b"[" * 100000 + b"\n", b"x" * (1 << 21)])
def test_what_is_no_stream_of_events(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own is one)
        JsonStream().feed(data)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (event("container", "create"), Effect("container", "k", created=True)),
        (event("container", "die"), Effect("container", "k", ended=True)),
        (event("container", "destroy"), Effect("container", "k", gone=True)),
        (event("container", "health_status: healthy"), Effect("container", "k")),
        (event("container", "exec_create: ls"), None),
        (event("network", "connect", container="c"), Effect("container", "c")),
        (event("network", "create"), Effect("network", "k")),
        (event("volume", "mount"), None),
        (event("image", "pull"), Effect("image", "k")),
        (event("builder", "prune"), None),
        ({"status": "start", "id": "old", "from": "busybox"}, Effect("container", "old")),
        ({}, None),
    ],
)
def test_what_an_event_changes(told: dict[str, Any], found: Effect | None) -> None:
    assert effect(told) == found


def test_an_event_says_its_node() -> None:
    seen = mark_event({**event("container", "start"), "from": "busybox"}, NODE)
    assert seen["from"] == "busybox node:n1"
    assert seen["node"] == {"Name": "n1", "Id": "I|a:1", "Addr": "a:1", "Ip": "a"}
    assert seen["Actor"]["Attributes"]["node.name"] == "n1"
    assert json.loads(encode(seen)) == seen


@pytest.mark.parametrize(
    ("filters", "good"),
    [
        ({}, True),
        ({"type": ["container"]}, True),
        ({"type": ["image"]}, False),
        ({"event": ["start", "die"]}, True),
        ({"container": ["web"]}, True),
        ({"container": ["k"]}, True),
        ({"container": ["other"]}, False),
        ({"image": ["busybox"]}, True),
        ({"label": ["a=1"]}, True),
        ({"label": ["a=1", "b"]}, False),
        ({"node": ["n1"]}, True),
        ({"node": ["n2"]}, False),
        ({"event": ["start"], "node": ["n2"]}, False),
        ({"container": ["we"]}, True),
        ({"container": ["eb"]}, False),
        ({"image": ["busybox:1"]}, True),
        ({"image": ["busy"]}, False),
        ({"network": ["web"]}, False),
        ({"nonsense": ["x"]}, True),
    ],
)
def test_filters(filters: dict[str, list[str]], good: bool) -> None:
    told = mark_event(event("container", "start", "k", name="web", image="busybox:1", a="1"), NODE)
    assert passes(told, filters) is good


def test_an_images_own_event_is_found_by_its_repository() -> None:
    told = event("image", "tag", "sha256:1", name="reg:5000/app:1")
    assert [passes(told, {"image": [name]}) for name in ("reg:5000/app:1", "reg:5000/app", "sha256:1", "reg")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_events_of_our_own_look_like_the_others() -> None:
    assert passes(own("engine_connect", NODE, 1.0), {"event": ["engine_connect"], "node": ["n1"]})
