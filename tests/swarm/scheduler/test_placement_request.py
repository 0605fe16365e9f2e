from __future__ import annotations

import json
from typing import Any

import pytest

from machine.swarm.scheduler.expressions import BadExpression
from machine.swarm.scheduler.placement_request import Port, extract_expressions, parse_create, policies, ports_of


def test_expressions_move_from_the_environment_to_labels() -> None:
    body: dict[str, Any] = {
        "Image": "x",
        "Env": ["A=1", "affinity:image==x", "constraint:node==n*", "reschedule:on-node-failure"],
    }
    found = extract_expressions(body)
    assert body["Env"] == ["A=1"]
    assert found["affinity"] == ["image==x"]
    assert json.loads(body["Labels"]["com.docker.swarm.constraints"]) == ["node==n*"]
    assert json.loads(body["Labels"]["com.docker.swarm.reschedule-policies"]) == ["on-node-failure"]


def test_lifting_twice_changes_nothing() -> None:
    body: dict[str, Any] = {"Env": ["affinity:image==x"], "Labels": {"a": "b"}}
    first = extract_expressions(body)
    copy = json.loads(json.dumps(body))
    assert extract_expressions(body) == first
    assert body == copy
    assert body["Labels"]["a"] == "b"


def test_labels_and_environment_add_up() -> None:
    body = {"Env": ["constraint:bb==2"], "Labels": {"com.docker.swarm.constraints": '["aa==1"]'}}
    assert extract_expressions(body)["constraint"] == ["aa==1", "bb==2"]


@pytest.mark.parametrize("text", ["x", "{}", "[1]", "[[", "null"])
def test_a_label_that_holds_something_else(text: str) -> None:
    with pytest.raises(BadExpression):
        extract_expressions({"Labels": {"com.docker.swarm.affinities": text}})


def test_a_body_without_anything_stays_as_it_is() -> None:
    body = {"Image": "x", "Env": None, "Labels": None}
    assert not any(extract_expressions(body).values())
    assert body == {"Image": "x", "Env": None, "Labels": None}


def test_what_a_create_asks() -> None:
    body = {
        "Image": "busybox",
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {
            "CpuShares": 2,
            "Memory": 1 << 30,
            "PortBindings": {"80/tcp": [{"HostPort": "8080"}], "53/udp": [{"HostIp": "10.0.0.1", "HostPort": "53"}]},
            "VolumesFrom": ["data:ro"],
            "Links": ["db:alias"],
            "NetworkMode": "container:web",
        },
    }
    asked = parse_create(body, extract_expressions(body), "n")
    assert (asked.cpus, asked.memory, asked.name, asked.image) == (2, 1 << 30, "n", "busybox")
    assert asked.ports == (Port("", "tcp", 8080, 8080), Port("10.0.0.1", "udp", 53, 53))
    assert asked.colocate_with == ("data", "db", "web")


def test_bindings_that_fix_no_port_are_left_out() -> None:
    assert ports_of({"80/tcp": [{"HostPort": ""}, {"HostPort": "0"}], "81/tcp": None}) == ()
    assert ports_of({"80/tcp": [{"HostPort": "80-82"}]}) == (Port("", "tcp", 80, 82),)
    assert ports_of(None) == ports_of([]) == ()


def test_policies() -> None:
    assert policies([]) == policies(["off"]) == "off"
    assert policies(["on-node-failure"] * 2) == "on-node-failure"
    for wrong in (["always"], ["off", "on-node-failure"]):
        with pytest.raises(BadExpression):
            policies(wrong)
