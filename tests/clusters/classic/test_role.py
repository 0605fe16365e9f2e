"""The role of a machine in its classic swarm, for every combination of its options and of the state of its record."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import pytest

from machine.clusters.classic.discovery_route import DiscoveryRoute
from machine.clusters.classic.role import Role, resolve_role
from machine.model import SwarmOptions
from machine.store import Record

BOTH = (False, True)
BY_CREATE = DiscoveryRoute("token://T", token="T")
BY_ITSELF = DiscoveryRoute("etcd://10.0.0.9/x", nodes_register_themselves=True)
FIXED_LIST = DiscoveryRoute("nodes://10.0.0.1:2376")


class Case(NamedTuple):
    """A machine's options and state, as far as they decide what runs on it."""

    is_swarm: bool
    has_discovery: bool
    has_machine_id: bool  # docker-machine's have none
    only_url: bool
    use_containers: bool


class Rule(NamedTuple):
    """A line of the table: for the cases in which `when` is so, who made the member and what runs on it."""

    when: dict[str, bool]
    made_by_us: bool
    runs: str


OURS = {"is_swarm": True, "has_discovery": True, "has_machine_id": True}
RULES = (
    Rule({"is_swarm": False}, made_by_us=False, runs=""),
    Rule({"is_swarm": True, "has_discovery": False}, made_by_us=False, runs=""),
    Rule({"is_swarm": True, "has_discovery": True, "has_machine_id": False}, made_by_us=False, runs=""),
    Rule({**OURS, "only_url": True}, made_by_us=True, runs=""),
    Rule({**OURS, "only_url": False, "use_containers": True}, made_by_us=True, runs="containers"),
    Rule({**OURS, "only_url": False, "use_containers": False}, made_by_us=True, runs="services"),
)
CASES = [Case(*values) for values in product(BOTH, repeat=5)]


def rule_of(case: Case) -> Rule:
    [rule] = [rule for rule in RULES if all(getattr(case, name) is value for name, value in rule.when.items())]
    return rule


def role_of(
    case: Case, *, master: bool = False, node: bool = False, driver_object: dict[str, Any] | None = None
) -> Role:
    discovery = "token://T" if case.has_discovery else ""
    options = SwarmOptions(case.is_swarm, master, node, discovery, use_containers=case.use_containers)
    record = Record.new("/store", "m", "none" if case.only_url else "generic", driver_object or {}, swarm=options)
    if not case.has_machine_id:
        record.raw["Machine"]["Id"] = ""
    return resolve_role(record.swarm_options(), record)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(name for name in case._fields if getattr(case, name)))
def test_what_runs_on_a_machine(case: Case) -> None:
    rule = rule_of(case)
    for master, node in product(BOTH, repeat=2):
        role = role_of(case, master=master, node=node)
        assert (role.is_master, role.is_node, role.made_by_us) == (master, node, rule.made_by_us)
        assert (role.uses_services, role.uses_containers) == (rule.runs == "services", rule.runs == "containers")
        assert role.runs_manager is (master and rule.runs == "services")
        assert role.runs_agent(BY_ITSELF) is (node and rule.runs == "services")
        assert not role.runs_agent(BY_CREATE)
        assert not role.runs_agent(FIXED_LIST)


@pytest.mark.parametrize(
    ("route", "node", "registers_itself", "registered_by_create"),
    [
        (BY_CREATE, True, False, True),
        (BY_CREATE, False, False, False),
        (BY_ITSELF, True, True, False),
        (BY_ITSELF, False, False, False),
        (FIXED_LIST, True, False, False),
        (FIXED_LIST, False, False, False),
    ],
)
def test_by_whom_a_machine_is_registered(
    route: DiscoveryRoute, node: bool, registers_itself: bool, registered_by_create: bool
) -> None:
    """Whatever runs on it, and whether it is a master too or not: a master that is no node is never registered."""
    for case, master in product(CASES, BOTH):
        role = role_of(case, master=master, node=node)
        assert role.registers_itself(route) is registers_itself
        assert role.registered_by_create(route) is registered_by_create


@pytest.mark.parametrize(
    ("driver_object", "begun", "addresses"),
    [
        ({}, False, None),
        ({"SwarmEntered": None}, False, None),
        ({"SwarmEntered": "192.0.2.1:2376"}, False, None),
        ({"SwarmEntered": []}, True, ()),
        ({"SwarmEntered": ["192.0.2.1:2376", "10.0.0.1:2376"]}, True, ("192.0.2.1:2376", "10.0.0.1:2376")),
    ],
)
def test_how_far_a_machine_has_joined(
    driver_object: dict[str, Any], begun: bool, addresses: tuple[str, ...] | None
) -> None:
    for case in CASES:
        role = role_of(case, driver_object=driver_object)
        assert (role.has_begun_to_join, role.registered_addresses) == (begun, addresses)
