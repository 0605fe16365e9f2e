"""What the body of a create refers to, and where that holds a container: pure, whatever the shapes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.aggregate.pins import Pin, allowed, narrowed, network_pin, project_pin, volume_pin
from machine.swarm.pipeline import Refused
from machine.swarm.scheduler.references import References, host_ports, project_of, references

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("HostConfig", "NetworkingConfig", "Labels", "Binds", "Mounts", "VolumesFrom", "Links", "NetworkMode", "Type",
        "EndpointsConfig", "PortBindings", "HostPort", "PidMode")  # fmt: skip
BODIES = st.dictionaries(
    st.sampled_from(KEYS), ANYTHING | st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=4), max_size=4
)


def test_references() -> None:
    body = {
        "Labels": {"com.docker.compose.project": "app"},
        "HostConfig": {
            "Binds": ["data:/x", "/host:/y:ro", "./here:/z", "/anonymous", "data:/again"],
            "Mounts": [{"Type": "volume", "Source": "more"}, {"Type": "bind", "Source": "/z"}, {"Type": "volume"}],
            "VolumesFrom": ["n/a:ro", "b"],
            "Links": ["c:alias"],
            "NetworkMode": "net",
            "PidMode": "container:d",
            "IpcMode": "host",
        },
        "NetworkingConfig": {"EndpointsConfig": {"net": None, "bridge": {}, "other": {}}},
    }
    assert references(body) == References(("n/a", "b", "c", "d"), ("net", "other"), ("data", "more"), "app")
    assert references({"HostConfig": {"NetworkMode": "container:x"}}) == References(("x",))


@pytest.mark.parametrize(
    ("bindings", "ports"),
    [({"80/tcp": [{"HostPort": "80"}]}, {80}), ({"80/tcp": None}, set()), ({"1/tcp": [{"HostPort": "8-9"}]}, set())],
)
def test_host_ports(bindings: Any, ports: set[int]) -> None:
    assert host_ports({"HostConfig": {"PortBindings": bindings}}) == ports


@given(BODIES)
def test_a_body_of_any_shape_is_read(body: dict[str, Any]) -> None:
    references(body)
    host_ports(body)


@given(st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from(("Scope", "Options", "Name")), ANYTHING)),
       st.dictionaries(st.sampled_from("ab"), st.lists(st.dictionaries(
           st.sampled_from(("Mounts", "NetworkSettings", "Labels")), ANYTHING), max_size=2)))  # fmt: skip
def test_answers_of_any_shape_pin_or_not(holders: Any, entries: Any) -> None:
    for pin in (volume_pin("x", holders, entries), network_pin("x", holders, entries), project_pin("x", entries, {})):
        assert pin is None or pin.engines <= {"a", "b"}
    project_of({"Labels": holders})


def entry(volume: str = "", network: str = "", project: str = "") -> dict[str, Any]:
    return {
        "Mounts": [{"Name": volume}],
        "NetworkSettings": {"Networks": {network: {}}},
        "Labels": {"com.docker.compose.project": project},
    }


def test_volume_pins() -> None:
    local, wide = {"Scope": "local"}, {"Scope": "global"}
    assert volume_pin("v", {}, {}) is None
    assert volume_pin("v", {"a": wide, "b": wide}, {"a": [entry("v")]}) is None
    assert volume_pin("v", {"a": local}, {"a": []}) == Pin(frozenset("a"), "volume v is on a", hard=False)
    assert volume_pin("v", {"a": local, "b": local}, {"a": [], "b": [entry("v")]}) == Pin(
        frozenset("b"), "volume v is on b"
    )
    with_options = {**local, "Options": {"type": "nfs"}}
    assert volume_pin("v", {"a": with_options}, {"a": []}) == Pin(frozenset("a"), "volume v is on a")


def test_network_pins() -> None:
    net = {"Scope": "local", "Name": "net"}
    assert network_pin("net", {"a": net, "b": net}, {"a": [], "b": []}) is None
    assert network_pin("net", {"a": net}, {"a": [], "b": []}) == Pin(frozenset("a"), "network net is on a only")
    pin = network_pin("0123abc", {"a": net, "b": net}, {"a": [], "b": [entry(network="net")]})
    assert pin == Pin(frozenset("b"), "network 0123abc has its containers on b"), "by its id too"
    assert network_pin("net", {"a": {"Scope": "swarm"}}, {"a": [entry(network="net")], "b": []}) is None


def test_what_is_left() -> None:
    pins = [Pin(frozenset("ab"), "one"), Pin(frozenset("bc"), "two"), Pin(frozenset("a"), "soft", hard=False)]
    assert allowed(pins, "abc") == {"b"}
    assert narrowed(pins, {"b"}) == {"b"}, "what is soft gives way"
    assert narrowed(pins, {"a", "b"}) == {"a"}
    with pytest.raises(Refused, match="no engine has all that the container needs: one; two; three"):
        allowed([*pins, Pin(frozenset("c"), "three")], "abc")
