"""What may be asked of swarm mode, and that the record gives it back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from machine.clusters.swarm_mode.detection import open_ports
from machine.clusters.swarm_mode.membership import (
    Membership,
    check,
    cluster_wide_flags,
    nanoseconds,
    parse,
    set_membership,
)
from machine.errors import RecordBroken, UsageError
from machine.store import Record

FULL = Membership(
    "manager", "shop", "drain", "public", "eth1", True, "720h", ("10.208.0.0/12",), True, "node", "cluster"
)


def test_the_record_gives_back_what_was_put_in() -> None:
    assert parse(FULL.dump(), "m") == FULL
    assert parse(Membership("worker").dump(), "m") == Membership("worker")
    assert parse(None, "m") is None
    assert parse({}, "m") is None
    assert parse({"Role": "worker", "Later": 1}, "m") == Membership("worker"), "a later version's keys are none of ours"


@pytest.mark.parametrize("found", ["x", [1], {"Role": "boss"}, {"Cluster": "a"}, {"Role": "worker", "NodeId": 7}])
def test_nonsense_in_the_record_is_named(found: Any) -> None:
    with pytest.raises(RecordBroken) as caught:
        parse(found, "dev")
    assert "SwarmMode" in caught.value.details
    assert "machines/dev/config.json" in caught.value.resolution


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"role": "boss"}, "--swarm-mode"),
        ({"availability": "on"}, "--swarm-availability"),
        ({"cluster": "a b"}, "--swarm-discovery"),
        ({"address": "eth0"}, "--swarm-addr"),
        ({"data_path": "10.0.0.300/8"}, "--swarm-data-path-addr"),
        ({"cert_expiry": "59m"}, "--swarm-cert-expiry"),
        ({"cert_expiry": "3 weeks"}, "not a duration"),
        ({"pools": ("10.0.0.1/8",)}, "--swarm-default-addr-pool"),
        ({"pools": ("10.9.8.0/25",)}, "no room"),
        ({"role": "worker"}, "--swarm-autolock --swarm-cert-expiry --swarm-default-addr-pool"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(replace(FULL, **change))
    assert flag in caught.value.brief


def test_what_makes_sense_is_taken() -> None:
    assert check(FULL) is FULL
    check(Membership("worker", "token://7c3b", address="fd00::7", data_path="10.1.2.3"))
    assert cluster_wide_flags(FULL) == "--swarm-autolock --swarm-cert-expiry --swarm-default-addr-pool"
    assert cluster_wide_flags(Membership("manager")) == ""


def test_durations() -> None:
    assert nanoseconds("2160h") == 90 * 24 * 3600 * 10**9
    assert nanoseconds("1h30m5s") == 5405 * 10**9


def test_ports_are_asked_for_only_where_swarm_mode_is() -> None:
    record = Record.new("/store", "m1", "none", {})
    assert open_ports(record) == ()
    set_membership(record, FULL)
    assert open_ports(record) == (2377, 7946, 4789)
    del record.raw["Machine"]  # as docker-machine wrote it
    assert open_ports(record) == ()
