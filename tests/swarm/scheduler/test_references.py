"""What the body of a create, and an engine's list of containers, refer to: pure, whatever the shapes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.scheduler.node import ListedContainer
from machine.swarm.scheduler.placement_request import Port
from machine.swarm.scheduler.references import References, joined_networks, mounted_volumes, project_of, references

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("HostConfig", "NetworkingConfig", "Labels", "Binds", "Mounts", "VolumesFrom", "Links", "NetworkMode", "Type",
        "EndpointsConfig", "PidMode", "NetworkSettings", "Networks")  # fmt: skip
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


@given(BODIES)
def test_a_body_of_any_shape_is_read(body: dict[str, Any]) -> None:
    references(body)
    project_of(body)
    joined_networks(body)
    mounted_volumes(body.get("Mounts"))


def test_a_listed_container_is_what_the_scheduler_sees() -> None:
    entry = {
        "Id": "a" * 64,
        "Names": ["/web", "/db/alias"],
        "State": "exited",
        "Labels": {"k": "v"},
        "Ports": [
            {"PrivatePort": 80},
            {"PrivatePort": 80, "PublicPort": 8080, "IP": "::", "Type": "tcp"},
            {"PublicPort": 53, "Type": "udp"},
        ],
        "Mounts": [{"Type": "volume", "Name": "data"}, {"Type": "bind", "Name": "no"}, None],
        "HostConfig": {"NetworkMode": "net"},
        "NetworkSettings": {"Networks": {"net": {"NetworkID": "b" * 64}, "bridge": None}},
    }
    found = ListedContainer(entry)
    assert (found.id, found.names, found.labels, found.ended) == ("a" * 64, ("web", "db/alias"), {"k": "v"}, True)
    assert found.ports == (Port("::", "tcp", 8080, 8080), Port("", "udp", 53, 53))
    assert (found.volumes, found.networks) == (("data",), ("net", "net", "b" * 64))
    assert ListedContainer({}).names == ()
