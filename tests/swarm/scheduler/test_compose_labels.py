"""What draws a container to an engine, what is free for it there, and what is said when nothing fits."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from machine.swarm.scheduler import NoNode, rank
from machine.swarm.scheduler.compose_labels import former_names, holders_of_project, service_of
from machine.swarm.scheduler.expressions import BadExpression, parse
from machine.swarm.scheduler.node import Node, PlainContainer
from machine.swarm.scheduler.placement_request import (
    EXPRESSION_LABELS,
    PlacementRequest,
    Port,
    RequiredObject,
    extract_expressions,
    parse_create,
    policies,
)

WEB = Port("", "tcp", 80, 80)
KEY = "0123456789ab" + "c" * 52


def held(
    key: str,
    name: str = "",
    *,
    ports: Any = (),
    ended: bool = False,
    cpus: int = 0,
    memory: int = 0,
    exposed: tuple[Any, ...] | frozenset[str] = (),
) -> PlainContainer:
    return PlainContainer(
        key, (name or key,), {}, cpus, memory, tuple(ports), frozenset(exposed), ended=ended
    )  # fmt: skip


def node(name: str, *containers: PlainContainer, **more: Any) -> Node:
    return Node(name=name, address=f"{name}:1", cpus=4, memory=8, containers={c.id: c for c in containers}, **more)


def names(nodes: list[Node]) -> list[str]:
    return [n.name for n in nodes]


def service(project: str = "p", name: str = "web", number: str = "1", **more: str) -> dict[str, str]:
    prefix = "com.docker.compose."
    return {f"{prefix}project": project, f"{prefix}service": name, f"{prefix}container-number": number, **more}


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (service(), ("p", "web", "1")),
        (service(**{"com.docker.compose.oneoff": "False"}), ("p", "web", "1")),
        (service(**{"com.docker.compose.oneoff": "True"}), None),
        (service(number=""), None),
        ({}, None),
        (None, None),
        (["com.docker.compose.project"], None),
    ],
)
def test_a_containers_place_in_its_service(labels: Any, found: tuple[str, str, str] | None) -> None:
    assert service_of(labels) == found


@pytest.mark.parametrize(
    ("called", "was", "found"),
    [
        (["0123456789ab_web"], "", {"web"}),
        (["0123456789ab_web_1"], "", {"web_1"}),
        (["ffffffffffff_web"], "", set()),  # another's id
        (["web-old"], "web", {"web"}),
        (["web"], "", set()),
    ],
)
def test_the_names_that_a_container_had(called: list[str], was: str, found: set[str]) -> None:
    assert former_names(KEY, called, was) == found


def test_who_has_something_of_a_project() -> None:
    mine, other = {"Labels": service()}, {"Labels": service("q")}
    spanning = {"Labels": service(), "Scope": "swarm"}
    assert holders_of_project("p", {"a": [other, mine], "b": [other], "c": [spanning], "d": [{"Labels": None}]}) == {
        "a"
    }
    assert holders_of_project("", {"a": [{"Labels": {}}, {}]}) == set()


def test_what_exists_already_holds_and_the_error_says_where_it_is() -> None:
    nodes = [node("a"), node("b"), node("c")]
    volume = RequiredObject("volume", "data", frozenset({"b:1", "c:1"}))
    network = RequiredObject("network", "front", frozenset({"c:1"}))
    assert names(rank(nodes, PlacementRequest(required_objects=(volume,)))) == ["b", "c"]
    assert names(rank(nodes, PlacementRequest(required_objects=(volume, network)))) == ["c"]
    assert names(rank(nodes, PlacementRequest(required_objects=(volume,)), "binpack", ["health"])) == [
        "b",
        "c",
    ]  # whatever the filters
    apart = RequiredObject("network", "back", frozenset({"a:1"}))
    with pytest.raises(NoNode) as told:
        rank(nodes, PlacementRequest(required_objects=(network, apart), constraints=(parse("node==b"),)))
    assert str(told.value) == (
        "Unable to find a node that satisfies the following conditions: constraint node==b (not on a, c); "
        "network front (not on a, b); network back (not on c)"
    )


def test_what_a_lost_engine_has_is_not_begun_anew_elsewhere() -> None:
    nodes = [node("a", healthy=False), node("b")]
    with pytest.raises(NoNode, match=r"healthy \(not on a\); volume data \(not on b\)"):
        rank(nodes, PlacementRequest(required_objects=(RequiredObject("volume", "data", frozenset({"a:1"})),)))


def test_a_predecessor_frees_what_it_holds_and_is_followed() -> None:
    old = held(KEY, "web", ports=[WEB], cpus=4, memory=8)
    a, b = node("a", old, labels={"containerslots": "1"}), node("b")
    asked = PlacementRequest(ports=(WEB,), cpus=4, memory=8)
    replacing = dataclasses.replace(asked, replaced_container_ids=frozenset({KEY}))
    assert names(rank([a, b], asked)) == ["b"]
    assert names(rank([a, b], replacing)) == ["a"]
    assert names(rank([a, b], PlacementRequest(replaced_container_ids=frozenset({KEY})))) == [
        "a"
    ]  # also without a port
    assert names(rank([node("a", old, healthy=False), b], replacing)) == ["b"]
    taken = node("a", old, held("other", ports=[WEB]))
    with pytest.raises(NoNode, match=r"port 80/tcp free \(not on a: other has it\)"):
        rank([taken], PlacementRequest(ports=(WEB,), replaced_container_ids=frozenset({KEY})))


def test_a_predecessor_in_host_mode_frees_what_it_exposes() -> None:
    exposed = frozenset({"80/tcp"})
    a, b = node("a", held(KEY, exposed=exposed)), node("b")
    asked = PlacementRequest(host_mode=True, exposed=exposed, replaced_container_ids=frozenset({KEY}))
    assert names(rank([a, b], asked)) == ["a"]


def test_a_container_that_has_ended_keeps_its_port_only_where_there_is_a_choice() -> None:
    ended, runs, made = held("e", ports=[WEB], ended=True), held("r", ports=[WEB]), held("m", ports=[WEB])
    assert names(rank([node("a", ended), node("b")], PlacementRequest(ports=(WEB,)))) == ["b"]
    assert names(rank([node("a", ended), node("b", runs)], PlacementRequest(ports=(WEB,)))) == ["a"]
    with pytest.raises(NoNode, match="a: m has it, b: r has it"):
        rank([node("a", made), node("b", ended, runs)], PlacementRequest(ports=(WEB,)))
    wish = PlacementRequest(ports=(WEB,), constraints=(parse("node==~a"),))
    assert names(rank([node("a", ended), node("b")], wish)) == ["b"]  # the wish is dropped first


def test_every_filters_reason_is_told() -> None:
    a, b = node("a", held("x", "one", ports=[WEB])), node("b", labels={"containerslots": "0"})
    wanted = PlacementRequest(ports=(WEB,), colocate_with=("db",), constraints=(parse("node==a"),))
    with pytest.raises(NoNode) as told:
        rank([a, b], wanted)
    assert str(told.value) == (
        "Unable to find a node that satisfies the following conditions: port 80/tcp free (not on a: one has it); "
        "a free container slot (not on b); all of the containers it depends on: db (not on a, b); "
        "constraint node==a (not on b)"
    )


def test_an_error_names_only_some_of_many_nodes() -> None:
    with pytest.raises(NoNode, match=r"node==z \(not on n0, n1, n2, n3, n4 and 5 more\)"):
        rank([node(f"n{n}") for n in range(10)], PlacementRequest(constraints=(parse("node==z"),)))


@pytest.mark.parametrize("key", ["NetworkMode", "PidMode", "IpcMode"])
def test_whoever_shares_a_namespace_is_on_the_same_engine(key: str) -> None:
    a, b = node("a"), node("b", held("2" * 64, "db"))
    asked = parse_create({"HostConfig": {key: "container:db"}}, {})
    assert names(rank([a, b], asked)) == ["b"]
    with pytest.raises(NoNode, match="it depends on: db"):
        rank([a], asked)
    assert names(rank([a, b], parse_create({"HostConfig": {key: "host"}}, {}))) == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [r'["container\!=c1"]', r'["container\\!=c1"]', '["container!=c1"]', r'["container\!=~c1"]'],
)
def test_the_backslash_that_a_shell_leaves_before_an_exclamation_mark(text: str) -> None:
    body = {"Labels": {EXPRESSION_LABELS["affinity"]: text}}
    (expression,) = parse_create(body, extract_expressions(body)).affinities
    assert (expression.key, expression.operator, expression.value) == ("container", "!=", "c1")


def test_the_same_backslash_in_the_environment() -> None:
    body = {"Env": [r"constraint:node\!=n1", "A=1"]}
    (expression,) = parse_create(body, extract_expressions(body)).constraints
    assert str(expression) == "node!=n1"
    assert body["Env"] == ["A=1"]
    for wrong in (r"no\de!=n1", r"node\==n1", r"node\\!=n1"):
        with pytest.raises(BadExpression):
            parse(wrong)


def test_classic_phrases_stand_in_the_errors() -> None:
    with pytest.raises(BadExpression, match="invalid reschedule policy: false"):
        policies(["false"])
    with pytest.raises(BadExpression, match="invalid reschedule policy"):
        policies(["off", "on-node-failure"])
    with pytest.raises(NoNode, match="no resources available to schedule container: 5 CPUs wanted, a has 4 of 4 CPUs"):
        rank([node("a")], PlacementRequest(cpus=5))
    with pytest.raises(NoNode, match="no resources available to schedule container"):
        rank([], PlacementRequest(), "random", [])
