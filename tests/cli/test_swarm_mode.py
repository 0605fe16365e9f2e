"""The flags of swarm mode, and `machine swarm-mode` where there is no cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from machine.clusters.swarm_mode import membership
from machine.clusters.swarm_mode.membership import Membership
from tests.cli.typed import StoreWithEngines
from tests.lifecycle.fake_cluster import Node, serving

CREATE = ("create", "-d", "generic", "--generic-ip-address", "192.0.2.1", "--dry-run", "m")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--swarm-mode", "boss"], "manager or worker"),
        (["--swarm-mode", "worker", "--swarm"], "leave one of the two flags out"),
        (["--swarm-autolock"], "--swarm-mode"),
        (["--swarm-availability", "drain"], "--swarm-mode"),
        (["--swarm-mode", "manager", "--swarm-availability", "off"], "active, pause, drain"),
        (["--swarm-mode", "worker", "--swarm-autolock"], "first manager"),
        (["--swarm-mode", "manager", "--swarm-cert-expiry", "1m"], "an hour"),
    ],
)
def test_what_does_not_go_together(cli: StoreWithEngines, flags: list[str], said: str) -> None:
    typed = cli.type(*CREATE, *flags)
    assert typed.status == 2
    assert said in typed.err
    assert cli.store.names() == []


def test_a_dry_run_tells_of_the_cluster(cli: StoreWithEngines) -> None:
    typed = cli.type(*CREATE, "--swarm-mode", "manager", "--swarm-discovery", "shop")
    assert typed.status == 0, typed.err
    assert "the cluster shop of swarm mode, as manager" in typed.out


def test_resume_says_what_it_does_not_look_at(cli: StoreWithEngines) -> None:
    cli.none("gone", "tcp://192.0.2.1:2376")
    typed = cli.type("create", "--resume", "--swarm-mode", "worker", "--swarm-data-path-addr", "eth1", "gone")
    assert typed.status == 2
    assert "--swarm-mode" in typed.err
    assert "--swarm-data-path-addr" in typed.err


def test_no_cluster(cli: StoreWithEngines) -> None:
    cli.machine("plain", 1)
    assert json.loads(cli.type("swarm-mode", "ls", "--json").out) == []
    assert cli.type("swarm-mode", "ls").out.split()[:2] == ["NAME", "CLUSTER"]
    for words, said in (
        (["token", "worker"], "--swarm-mode manager"),
        (["token"], "which role"),
        (["ls", "shop"], "there is no cluster shop"),
        (["promote"], "needs the name"),
        (["promote", "plain"], "plain is in no cluster"),
        (["leave", "plain"], "plain is in no cluster"),
        (["unlock-key"], "--swarm-mode manager"),
    ):
        typed = cli.type("swarm-mode", *words)
        assert typed.status == (1 if "in no cluster" in said else 2)
        assert said in typed.err
        assert typed.out == ""


def test_a_machine_of_a_classic_swarm_is_told_apart(cli: StoreWithEngines) -> None:
    cli.machine("head", 1, SwarmOptions={"IsSwarm": True, "Master": True})
    for verb in ("promote", "demote", "leave", "unlock"):
        assert "head is in a classic swarm" in cli.type("swarm-mode", verb, "head").err


def test_a_cluster_that_does_not_answer_is_listed(cli: StoreWithEngines) -> None:
    record = cli.machine("m", 1)
    membership.set_membership(record, Membership("manager", "shop", node_id="abc"))
    cli.store.save(record)
    worker = cli.machine("w", cli.engine())
    membership.set_membership(worker, Membership("worker", "shop", node_id="def"))
    cli.store.save(worker)
    rows = json.loads(cli.type("swarm-mode", "ls", "--json").out)
    error = "no manager answers: check that host; machine status m"
    assert [(row["machine"], row["cluster"], row["state"], row["error"]) for row in rows] == [
        ("m", "shop", "unknown", error),
        ("w", "shop", "unknown", error),
    ]
    token = cli.type("swarm-mode", "token", "worker")
    assert token.status == 1
    assert "no manager of the cluster shop answers" in token.err


class LockedNode(Node):
    """A manager that was restarted in a cluster with autolock."""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Say that it is locked, and refuse all else."""
        return (200, {"Swarm": {"LocalNodeState": "locked"}}) if path == "/info" else (503, {"message": "locked"})


def add_node(cli: StoreWithEngines, node: Node, role: Literal["manager", "worker"]) -> None:
    """Make the engine `node` a machine of the store that is recorded as a member; it ends with the test."""
    record = cli.machine(node.name, 1)
    cli.stack.enter_context(serving(node, Path(cli.store.directory(node.name))))
    record.driver_object["EnginePort"] = node.port
    membership.set_membership(record, Membership(role, "shop", node_id=node.id))
    cli.store.save(record)


def errors(cli: StoreWithEngines) -> dict[str, str]:
    rows = json.loads(cli.type("swarm-mode", "ls", "--json").out)
    return {row["machine"]: row["error"] for row in rows}


def test_nodes_that_are_silent_or_lost_are_listed_with_what_helps(cli: StoreWithEngines) -> None:
    manager, gone = Node("m", {}), Node("w", {})
    manager.enter("manager")
    gone.rows = manager.rows
    gone.enter("worker")
    manager.rows[gone.id]["Status"]["State"] = "down"
    add_node(cli, manager, "manager")
    for name, node_id in (("w", gone.id), ("lost", "another")):
        record = cli.machine(name, 1)
        membership.set_membership(record, Membership("worker", "shop", node_id=node_id))
        cli.store.save(record)
    assert errors(cli) == {
        "m": "",
        "w": "does not answer its managers: check that host; machine status w",
        "lost": "not a member: machine provision lost",
    }
    typed = cli.type("-s", cli.store.root, "swarm-mode", "ls", "--json")
    assert f"machine -s {cli.store.root} provision lost" in typed.out


def test_a_node_that_answers_from_here_is_not_listed_with_what_helps_a_manager(cli: StoreWithEngines) -> None:
    """In a cluster that has a manager, a worker that it does not reach waits for no other one."""
    manager, lost, worker = Node("m", {}), Node("m2", {}), Node("w", {})
    lost.rows = worker.rows = manager.rows
    for node, role in ((manager, "manager"), (lost, "manager"), (worker, "worker")):
        node.enter(role)
    manager.rows[lost.id]["ManagerStatus"]["Reachability"] = "unreachable"
    manager.rows[worker.id]["Status"]["State"] = "down"
    add_node(cli, manager, "manager")
    add_node(cli, worker, "worker")
    record = cli.machine("m2", 1)
    membership.set_membership(record, Membership("manager", "shop", node_id=lost.id))
    cli.store.save(record)
    assert errors(cli) == {
        "m": "",
        "m2": "does not answer its managers: check that host; machine status m2",
        "w": "does not answer its managers",
    }


def test_a_locked_manager_is_listed_with_what_unlocks_it(cli: StoreWithEngines) -> None:
    add_node(cli, LockedNode("m", {}), "manager")
    assert errors(cli) == {"m": "no manager answers: machine swarm-mode unlock m"}


def test_a_broken_membership_is_said_and_stops_nobody(cli: StoreWithEngines) -> None:
    record = cli.machine("m", 1)
    record.raw["Machine"]["SwarmMode"] = {"Role": "boss"}
    cli.store.save(record)
    typed = cli.type("swarm-mode", "ls")
    assert typed.status == 0
    assert "Machine.SwarmMode" in typed.err
    assert cli.type("ls", "-q").out == "m\n"


def test_ls_shows_the_cluster(cli: StoreWithEngines) -> None:
    record = cli.machine("m", 1)
    membership.set_membership(record, Membership("manager", "shop"))
    cli.store.save(record)
    assert cli.type("ls", "-f", "{{.Name}} {{.Swarm}}").out == "m shop (manager)\n"
