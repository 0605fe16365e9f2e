"""The judge over the stand-in's answers can say no; and what was recorded is what hcloud's package has."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.drivers.cloud_stand_in import make, new, unmake
from tests.drivers.hetzner import recorded
from tests.drivers.hetzner.fake_hetzner import Hetzner
from tests.drivers.hetzner.project import Project


def type_answer() -> dict[str, Any]:
    """A good answer: a type of servers as it is recorded."""
    answers = json.loads(recorded.DATA.read_text())["answers"]
    found: dict[str, Any] = answers["server_types/conftest.py server_type_response"][0]
    return copy.deepcopy(found)


def test_a_recorded_answer_is_right() -> None:
    assert recorded.wrong(type_answer()) == []
    assert recorded.wrong({"servers": [], "meta": {}}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.pop("category"), "lacks category"),  # newer than most recordings
        (lambda one: one["locations"][0].pop("available"), "locations[] lacks available"),
        (lambda one: one.update(cores="2"), "cores is text"),
        (lambda one: one.update(colour="red"), "has colour"),
        (lambda one: one["prices"][0]["price_hourly"].update(net=0.5), "net is number"),
        (lambda one: one.update(prices={}), "prices is object"),
    ],
)
def test_what_is_not_as_recorded_is_named(change: Any, said: str) -> None:
    answer = type_answer()
    change(answer["server_type"])
    assert said in " ".join(recorded.wrong(answer))


def test_an_error_and_an_unknown_word_are_judged_too() -> None:
    assert recorded.wrong({"error": {"code": "x", "message": "y", "details": None}}) == []
    assert recorded.wrong({"error": {"code": 7, "message": "y", "details": None}})
    assert recorded.wrong({"sever": {}}) == ["the answer has sever"]


def test_every_kind_has_recordings() -> None:
    shapes = recorded.shapes()
    assert {kind for kind in (*recorded.KINDS, "error") if not shapes[kind].keys} == set()
    assert "MIT" in json.loads(recorded.DATA.read_text())["license"]


def test_each_kind_of_the_stand_in_is_as_recorded(tmp_path: Any) -> None:
    """Also those that a create asks nothing about, and a server that has all that a server can have."""
    cloud = Hetzner(boot=0, let_go=0)
    project: Project = cloud.project
    project.make_network("n")
    project.make_volume("v")
    project.make_primary_ip("p", "198.51.100.7")
    project.make_primary_ip("six", "2001:db8:9::/64")
    more = {"networks": ["n"], "volumes": ["v"], "primary-ipv4": "p", "primary-ipv6": "six", "auto-spread": True}
    driver = make(new(cloud, tmp_path, **{f"hetzner-{flag}": value for flag, value in more.items()}))
    listed = {
        "locations": project.catalogue.locations(),
        "images": project.catalogue.images,
        "server_types": project.catalogue.server_types,
        **{kind: list(getattr(project, kind).values()) for kind in project.listing()},
    }
    for kind, things in listed.items():
        assert things, kind
        assert recorded.wrong({kind: copy.deepcopy(things)}) == []
    unmake(driver)
    cloud.close()
