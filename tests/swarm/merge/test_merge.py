"""Merging what engines say: unions, names, sums; never an exception for odd JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.swarm.merge.containers import inspected, merge_containers
from machine.swarm.merge.events import mark_event
from machine.swarm.merge.images import merge_images
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.merge.objects import merge_networks, merge_volumes
from machine.swarm.merge.usage import merge_disk_usage, merge_plugins, merge_prune
from machine.swarm.merge.values import total, union
from machine.swarmd.aggregate.info import aggregate_info
from machine.swarmd.aggregate.version import merge_version

A = NodeInfo("a", "ID-A", "tcp://10.0.0.1:2376", "10.0.0.1", 4, 8, {"zone": "x", "ssd": ""})
B = NodeInfo("b", "ID-B", "tcp://10.0.0.2:2376", "10.0.0.2")


def entry(name: str, created: int = 0, **more: Any) -> dict[str, Any]:
    return {"Id": name * 64, "Names": ["/" + name], "Created": created, "Ports": [], **more}


def test_containers_are_a_union_newest_first_with_the_node_in_their_names() -> None:
    said = [(A, [entry("x", 1), entry("same", 4)]), (B, [entry("y", 3), entry("same", 2)])]
    found = merge_containers(said, always_qualified=True)
    assert [each["Names"] for each in found] == [["/a/same"], ["/y", "/b/y"], ["/b/same"], ["/x", "/a/x"]]
    assert [each["Created"] for each in merge_containers(said, always_qualified=True, limit=2)] == [4, 3]


def test_published_ports_are_at_the_node() -> None:
    port = {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 80, "Type": "tcp"}
    local = {"IP": "127.0.0.1", "PrivatePort": 81, "PublicPort": 81, "Type": "tcp"}
    everywhere = {**port, "IP": "::"}  # at IPv6 too, which is the same address of the node
    (found,) = merge_containers([(A, [entry("x", Ports=[port, everywhere, local])])], always_qualified=True)
    assert [each["IP"] for each in found["Ports"]] == ["10.0.0.1", "127.0.0.1"]
    settings = {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}], "81/tcp": None}}
    shown = inspected(A, {"Id": "x", "NetworkSettings": settings})
    assert shown["NetworkSettings"]["Ports"] == {"80/tcp": [{"HostIp": "10.0.0.1", "HostPort": "80"}], "81/tcp": None}
    assert shown["Node"] == {
        "ID": "ID-A", "IP": "10.0.0.1", "Addr": "tcp://10.0.0.1:2376", "Name": "a", "Cpus": 4, "Memory": 8,
        "Labels": {"zone": "x", "ssd": ""},
    }  # fmt: skip


def test_a_links_alias_is_not_a_name() -> None:
    linked = entry("db", Names=["/web/alias", "/db"])
    assert merge_containers([(A, [linked])], always_qualified=True)[0]["Names"] == ["/db", "/a/db"]


def test_a_node_is_in_a_name_only_where_it_has_to_be() -> None:
    linked = entry("db", Names=["/db", "/web/alias"])
    found = merge_containers([(A, [linked, entry("x")]), (B, [entry("x")])], always_qualified=False)
    assert [each["Names"] for each in found] == [["/db", "/web/alias"], ["/a/x"], ["/b/x"]]


def test_images_are_grouped_by_id() -> None:
    one = {"Id": "sha256:1", "RepoTags": ["x:1"], "RepoDigests": None, "Created": 1}
    also = {"Id": "sha256:1", "RepoTags": ["x:1", "y:2"], "RepoDigests": ["x@sha256:2"], "Created": 1}
    two = {"Id": "sha256:2", "RepoTags": ["z:1"], "RepoDigests": [], "Created": 5}
    found = merge_images([[one], [also, two]])
    assert [(each["Id"], each["RepoTags"], each["RepoDigests"]) for each in found] == [
        ("sha256:2", ["z:1"], []),
        ("sha256:1", ["x:1", "y:2"], ["x@sha256:2"]),
    ]


def test_networks_of_a_name_are_one_and_those_across_nodes_go_by_id() -> None:
    local = [{"Name": "net", "Id": id_, "Scope": "local", "Containers": {id_: {}}} for id_ in "12"]
    across = {"Name": "over", "Id": "3", "Scope": "global", "Containers": None}
    said = [(A, [local[0], across]), (B, [local[1], {**across, "Containers": {"4": {}}}])]
    found = merge_networks(said, one_per_name=True)
    assert [(each["Name"], sorted(each["Containers"])) for each in found] == [("net", ["1", "2"]), ("over", ["4"])]
    assert [each["Name"] for each in merge_networks(said, {"net", "over"})] == ["a/net", "over", "b/net"]


def test_volumes_by_name_and_warnings_by_node() -> None:
    answer = {"Volumes": [{"Name": "v"}], "Warnings": ["w"]}
    assert merge_volumes([(A, answer), (B, {"Volumes": None, "Warnings": None})]) == {
        "Volumes": [{"Name": "v"}],
        "Warnings": ["a: w"],
    }


def test_prune_adds_up() -> None:
    said = [
        (A, {"ContainersDeleted": ["1"], "SpaceReclaimed": 5}),
        (B, {"ContainersDeleted": None, "SpaceReclaimed": 6}),
    ]
    assert merge_prune(said)["ContainersDeleted"] == ["1"]
    assert merge_prune(said)["SpaceReclaimed"] == 11


def test_prune_names_once_what_was_on_several_engines_and_keeps_null_and_empty_apart() -> None:
    said = [(A, {"NetworksDeleted": ["net", "a"]}), (B, {"NetworksDeleted": ["net", "b"]})]
    assert merge_prune(said) == {"NetworksDeleted": ["net", "a", "b"]}
    assert merge_prune(said, {"net"}) == {"NetworksDeleted": ["a/net", "a", "b/net", "b"]}
    assert merge_prune([(A, {"NetworksDeleted": None}), (B, {})]) == {"NetworksDeleted": None}
    images = [[{"Untagged": "x:1"}, {"Deleted": "1"}], None, [{"Untagged": "x:1"}]]
    assert union(images) == [{"Untagged": "x:1"}, {"Deleted": "1"}]
    assert union([None, []]) == []
    assert union([None, None]) is None


def test_the_version_is_what_all_of_them_speak() -> None:
    said = [(A, {"ApiVersion": "1.51", "MinAPIVersion": "1.24"}), (B, {"ApiVersion": "1.9", "MinAPIVersion": "1.44"})]
    assert merge_version(said) == {"ApiVersion": "1.9", "MinAPIVersion": "1.44"}


def test_info_adds_numbers_joins_differences_and_names_who_is_away() -> None:
    one = {
        "NCPU": 2,
        "MemTotal": 10,
        "Containers": 3,
        "ContainersRunning": 1,
        "ServerVersion": "20.10",
        "Warnings": ["w"],
    }
    two = {
        "NCPU": 4,
        "MemTotal": 20,
        "Containers": 1,
        "ContainersRunning": 1,
        "ServerVersion": "29.0",
        "Warnings": None,
    }
    found = aggregate_info([(A, one), (B, two)], [("c", "refused")], 7)
    assert (found["NCPU"], found["MemTotal"], found["Containers"], found["Images"]) == (6, 30, 4, 7)
    assert found["ServerVersion"] == "20.10, 29.0"
    assert found["Warnings"] == ["a: w"]
    assert ["  └ Error", "refused"] in found["SystemStatus"]
    assert "node.c=unreachable: refused" in found["Labels"]


def test_events_say_where_they_happened() -> None:
    found = mark_event({"from": "img", "Actor": {"ID": "1", "Attributes": {"name": "x"}}}, A)
    assert found["from"] == "img node:a"
    assert found["Actor"]["Attributes"] == {
        "name": "x", "node.name": "a", "node.id": "ID-A", "node.addr": "tcp://10.0.0.1:2376", "node.ip": "10.0.0.1",
    }  # fmt: skip
    assert found["node"]["Ip"] == "10.0.0.1"


KEYS = st.sampled_from(
    [
        "Id",
        "Names",
        "Created",
        "Ports",
        "IP",
        "RepoTags",
        "Name",
        "Containers",
        "Volumes",
        "Scope",
        "Images",
        "Warnings",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(items=st.lists(st.dictionaries(KEYS, JSON, max_size=6), max_size=4), always=st.booleans())
def test_odd_lists_lose_nothing(items: list[Any], always: bool) -> None:
    said = [(A, items), (B, None)]
    assert len(merge_containers(said, always_qualified=always)) == len(items)
    keys = {str(item.get("Id")) for item in items}
    assert {str(item.get("Id")) for item in merge_images(each for _, each in said)} == keys
    assert len(merge_networks(said, one_per_name=True)) <= len(items)
    assert len(merge_networks(said)) == len(keys)


@given(answers=st.lists(st.dictionaries(KEYS, JSON, max_size=6) | JSON, max_size=4))
def test_odd_answers_are_merged(answers: list[Any]) -> None:
    said = [(A, answer) for answer in answers]
    for answer in (merge_disk_usage(said, always_qualified=True), merge_prune(said), merge_volumes(said)):
        assert isinstance(answer, dict)
    assert isinstance(merge_plugins(said), list)


def test_what_a_newer_api_says_of_its_disk_is_added_up() -> None:
    usage = {"ActiveCount": 1, "TotalSize": 10, "Items": [{"ID": "1"}]}
    found = merge_disk_usage([(A, {"ImageUsage": usage}), (B, {"ImageUsage": usage, "New": 1})], always_qualified=True)
    assert found == {"ImageUsage": {"ActiveCount": 2, "TotalSize": 20, "Items": [{"ID": "1"}]}, "New": 1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([None, None], None),
        ([None, 1, 2.5], 3.5),
        (["a", "b"], "a"),
        ([True, False], True),
        ([[1], None, [1, 2]], [1, 2]),
        ([{"a": 1}, {"a": 2, "b": None}], {"a": 3, "b": None}),
    ],
)
def test_totals(values: list[Any], expected: Any) -> None:
    assert total(values) == expected


@given(lists=st.lists(st.lists(st.integers(0, 50), max_size=6), min_size=1, max_size=4))
def test_every_container_of_every_node_is_there_once(lists: list[list[int]]) -> None:
    nodes = [NodeInfo(f"n{i}") for i in range(len(lists))]
    said = [
        (node, [entry(f"c{n}", n, Id=f"{node.name}-{i}") for i, n in enumerate(ns)])
        for node, ns in zip(nodes, lists, strict=True)
    ]
    found = merge_containers(said, always_qualified=True)
    assert sorted(each["Id"] for each in found) == sorted(each["Id"] for _, items in said for each in items)
    assert [each["Created"] for each in found] == sorted((each["Created"] for each in found), reverse=True)
