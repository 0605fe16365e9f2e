"""Whose node is whose, which manager may go, and where overlay networks get their addresses."""

from __future__ import annotations

import pytest

from machine.clusters.swarm_mode.nodes import (
    Node,
    address_pools,
    fault_tolerance,
    find_own_node,
    majority,
    parse_node,
    quorum_risk,
)


def row(name: str, role: str = "worker", *, reachable: bool = True, state: str = "ready", created: str = "1") -> Node:
    """A node as a manager lists it."""
    manager = {"Reachability": "reachable" if reachable else "unreachable", "Addr": f"10.0.0.{name[1:]}:2377"}
    return parse_node(
        {
            "ID": f"id-{name}-{created}",
            "CreatedAt": created,
            "Spec": {"Role": role, "Availability": "active"},
            "Status": {"State": state, "Addr": f"10.0.0.{name[1:]}"},
            "Description": {"Hostname": name},
            **({"ManagerStatus": manager} if role == "manager" else {}),
        }
    )


def test_a_row_is_read_whatever_is_missing() -> None:
    bare = parse_node({"ID": "x"})
    assert (bare.role, bare.state, bare.addresses, bare.is_manager) == ("worker", "unknown", (), False)
    first = parse_node({"ID": "y", "Status": {"Addr": "0.0.0.0"}, "ManagerStatus": {"Addr": "[fd00::1]:2377"}})
    assert first.addresses == ("fd00::1",), "the only manager of a cluster may be listed by no address of its own"


def test_a_machine_finds_its_own_row() -> None:
    rows = [row("m1", "manager"), row("w2"), row("w2", state="down", created="0"), row("w3", state="down")]
    assert find_own_node(rows, "id-w3-1", "other", []) is rows[3], "by id, whatever its name"
    assert find_own_node(rows, "id-gone", "w2", ["10.0.0.2"]) is None, (
        "a known id that is not listed is not another node"
    )
    assert find_own_node(rows, "", "w2", ["10.0.0.2"]) is rows[1], "of two the one that is ready"
    assert find_own_node(rows, "", "w2", ["10.0.0.9"]) is None, (
        "a name alone proves nothing: another store's machine has it too"
    )
    old = [row("w2", state="down", created="1"), row("w2", state="down", created="2")]
    assert find_own_node(old, "", "w2", ["10.0.0.2"]) is old[1]


@pytest.mark.parametrize(
    ("managers", "dead", "goes", "workers", "said"),
    [
        (1, 0, 1, 0, ""),
        (1, 0, 1, 2, "the only manager"),
        (2, 0, 1, 0, ""),
        (2, 1, 2, 0, ""),  # the dead one goes
        (2, 1, 1, 0, "of the 1 manager left 0 would answer, and 1 must"),
        (3, 0, 1, 5, ""),
        (3, 1, 1, 0, "of the 2 managers left 1 would answer, and 2 must"),
        (3, 1, 3, 0, ""),
        (5, 2, 1, 0, "of the 4 managers left 2 would answer, and 3 must"),
        (5, 1, 1, 0, ""),
    ],
)
def test_which_manager_may_go(managers: int, dead: int, goes: int, workers: int, said: str) -> None:
    """The last `dead` of the managers do not answer; manager number `goes` is to leave."""
    rows = [row(f"m{n}", "manager", reachable=n <= managers - dead) for n in range(1, managers + 1)]
    rows += [row(f"w{n}") for n in range(10, 10 + workers)]
    found = quorum_risk(rows, rows[goes - 1])
    assert (said in found) if said else found == ""


def test_workers_may_always_go_and_so_may_all_together() -> None:
    rows = [row("m1", "manager"), row("w2"), row("w3", state="down")]
    assert quorum_risk(rows, rows[1]) == ""
    assert "w2" in quorum_risk(rows, rows[0])
    assert "w3" not in quorum_risk(rows, rows[0]), "a node that is down misses no manager"
    assert quorum_risk(rows, rows[0], also_removed=["id-w2-1"]) == ""


def test_a_manager_that_is_about_to_be_one_counts_as_one() -> None:
    promoted = parse_node({"ID": "x", "Spec": {"Role": "manager"}, "Status": {"State": "ready"}})
    assert quorum_risk([promoted, row("w2")], promoted)


def test_majorities() -> None:
    assert [majority(n) for n in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]
    assert [bool(fault_tolerance(n)) for n in (0, 1, 2, 3, 4)] == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("networks", "pools"),
    [
        ([], []),
        (["192.168.1.5/24", "172.31.4.2/20", "fe80::1/64"], []),
        (["10.0.2.15/24", "10.84.7.1/24", "172.17.0.1/16"], ["10.208.0.0/12"]),
        (["10.212.0.9/16"], ["10.160.0.0/12"]),
        (["10.0.0.5/8"], ["172.24.0.0/14"]),
        (["10.0.0.5/8", "172.16.0.1/12"], ["192.168.128.0/17"]),
        (["10.0.0.5/8", "172.16.0.1/12", "192.168.0.1/16"], []),
        (["10.1.2.3/32"], []),
    ],
)
def test_overlay_networks_stay_out_of_the_hosts_own(networks: list[str], pools: list[str]) -> None:
    assert address_pools(networks) == pools


def test_a_wanted_pool_is_taken_as_it_is() -> None:
    assert address_pools(["10.0.2.15/24"], ["10.0.0.0/16"]) == ["10.0.0.0/16"]
