from __future__ import annotations

import json
from typing import Any

import pytest

from machine.swarm.cluster.facts import facts_of
from machine.swarm.merge import info as merged_info
from machine.swarm.merge.engine_info import EngineInfo
from machine.swarm.merge.info import DEFAULTS, most_common

ENGINE = {
    "ID": "x",
    "Name": "n1",
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "Plugins": {"Volume": ["local"], "Network": ["bridge", "host"], "Authorization": None, "Log": ["json-file"]},
    "NFd": 20,
    "MemoryLimit": True,
    "LoggingDriver": "json-file",
    "CgroupDriver": "systemd",
    "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {"docker.io": {"Secure": True}}},
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"runc": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "ContainerdCommit": {"ID": "1.7"},
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "GenericResources": None,
    "Warnings": None,
    "Swarm": {"LocalNodeState": "active"},
    "Labels": ["a=b"],
}


def merge(infos: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    return merged_info.merge_info([(name, EngineInfo.of(info)) for name, info in infos])


def test_every_field_is_there_with_its_type_even_of_no_engine() -> None:
    found = merge([])
    assert found == {**DEFAULTS, "Warnings": None}
    assert json.dumps(found)


def test_one_engine_is_as_it_says_but_for_what_is_the_clusters() -> None:
    found = merge([("n1", ENGINE)])
    own = ("ID", "Name", "Swarm", "Labels")
    assert {key: found[key] for key in ENGINE if key not in own} == {k: v for k, v in ENGINE.items() if k not in own}
    assert not set(own) & set(found)


def test_sums_unions_and_what_most_say() -> None:
    other = {
        **ENGINE,
        "NFd": 5,
        "Driver": "btrfs",
        "CgroupDriver": "cgroupfs",
        "Plugins": {"Volume": ["local", "nfs"], "Authorization": ["opa"], "Log": None},
        "Runtimes": {"runc": {"path": "runc"}, "kata": {"path": "kata"}},
        "SecurityOptions": ["name=apparmor"],
        "RegistryConfig": {"InsecureRegistryCIDRs": ["10.0.0.0/8", "127.0.0.0/8"], "Mirrors": ["https://m"]},
        "Warnings": ["WARNING: No swap limit support"],
    }
    found = merge([("n1", ENGINE), ("n2", other), ("n3", {**ENGINE, "NFd": 1})])
    assert found["NFd"] == 26
    assert (found["Driver"], found["CgroupDriver"]) == ("overlay2", "systemd")
    assert found["Plugins"] == {
        "Volume": ["local", "nfs"],
        "Network": ["bridge", "host"],
        "Authorization": ["opa"],
        "Log": ["json-file"],
    }
    assert set(found["Runtimes"]) == {"runc", "kata"}
    assert found["SecurityOptions"] == ["name=seccomp,profile=builtin", "name=apparmor"]
    assert found["RegistryConfig"]["InsecureRegistryCIDRs"] == ["127.0.0.0/8", "10.0.0.0/8"]
    assert found["RegistryConfig"]["Mirrors"] == ["https://m"]
    assert found["Warnings"] == ["n2: WARNING: No swap limit support"]


def test_a_field_newer_than_this_program_is_passed_on_when_most_have_it() -> None:
    newer = {**ENGINE, "Quantum": {"Bits": 3}}
    assert merge([("n1", newer), ("n2", newer), ("n3", ENGINE)])["Quantum"] == {"Bits": 3}
    assert "Quantum" not in merge([("n1", newer), ("n2", ENGINE), ("n3", ENGINE)])


@pytest.mark.parametrize("wrong", [None, 5, "x", [1], {"a": 1}, [["one cell"]], True])
def test_what_has_another_type_than_clients_expect_is_left_out(wrong: Any) -> None:
    bad = dict.fromkeys([*DEFAULTS, "Warnings"], wrong)
    found = merge([("n1", bad)])
    for key, default in DEFAULTS.items():
        if default is not None:
            assert type(found[key]) is type(default), key
    assert all(len(row) == 2 for row in found["DriverStatus"])


def test_the_first_of_as_many() -> None:
    assert most_common([["a"], ["b"], ["b"], ["a"]]) == ["a"]


def test_what_engines_say_alike_is_kept_once_and_united_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spelt = []

    def note(value: object) -> tuple[str]:
        spelt.append(value)
        return (json.dumps(value),)

    monkeypatch.setattr(merged_info, "canonical_key", note)
    merge([("n1", ENGINE)])
    once = len(spelt)
    infos = [(f"n{n}", {**ENGINE, "ID": str(n), "Name": f"n{n}", "NFd": n, "Labels": [f"n={n}"]}) for n in range(50)]
    kept = [(name, EngineInfo.of(json.loads(json.dumps(info)))) for name, info in infos]
    assert len({id(info.common) for _, info in kept}) == 1
    spelt.clear()
    assert merged_info.merge_info(kept)["NFd"] == sum(range(50))
    assert 0 < len(spelt) == once


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), ("1", 1), (None, ""), ([], {})])
def test_infos_that_only_look_equal_are_kept_apart(one: Any, other: Any) -> None:
    first, second = EngineInfo.of({**ENGINE, "X": [one]}), EngineInfo.of({**ENGINE, "X": [other]})
    assert first.common is not second.common
    assert (type(first.common.fields["X"][0]), type(second.common.fields["X"][0])) == (type(one), type(other))


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"NFd": 9, "Containers": 3, "SystemTime": "later"}, False),
        ({"Driver": "btrfs"}, True),
        ({"Warnings": ["WARNING: x"]}, True),
        ({"Quantum": 1}, True),
    ],
)
def test_infos_are_united_again_when_one_says_something_else(change: dict[str, Any], again: bool) -> None:
    version = {"ApiVersion": "1.44"}
    before = facts_of(version, ENGINE)
    now = facts_of(version, {**ENGINE, **change}).reuse_info(before)
    assert (now.info is not before.info) is again


def test_as_many_engines_as_say_it_count_for_a_value_and_the_first_of_equals() -> None:
    a, b, c = ({**ENGINE, "Driver": driver} for driver in "abc")
    assert merge([("1", a), ("2", b), ("3", c), ("4", b)])["Driver"] == "b"
    assert merge([("1", c), ("2", b), ("3", b), ("4", c)])["Driver"] == "c"
