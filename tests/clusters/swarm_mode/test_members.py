"""Machines of swarm mode that go, or begin anew, while something is not as it should be."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from machine import secrets
from machine.clusters.swarm_mode import commands, join, members, membership
from machine.clusters.swarm_mode.membership import UNLOCK_KEY, Membership
from machine.console import Console
from machine.drivers import registry
from machine.errors import SwarmModeError
from machine.lifecycle.remove import remove
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.fake_cluster import Node, serving
from tests.lifecycle.test_remove import Cloud

Make = Callable[..., Node]


class Quick:
    """A clock on which no time is lost."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setitem(registry.TABLE, "cloud", f"{__name__}:Cloud")
    monkeypatch.setattr(Cloud, "accounts", {"": {"m1", "m2", "m3", "w1"}})
    environ = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker")}
    return Session(Store(str(tmp_path / "store")), Console(io.StringIO()), Quick(), environ)


@pytest.fixture
def make(world: Session) -> Iterator[Make]:
    """make(NAME, ROLE): a machine of the store with an engine, a member of the one cluster."""
    rows: dict[str, dict[str, object]] = {}
    with ExitStack() as stack:

        def made(name: str, role: str) -> Node:
            node = Node(name, rows)
            node.enter(role)
            world.store.add(name)
            stack.enter_context(serving(node, Path(world.store.directory(name))))
            data = {"AccessToken": "", "IPAddress": "127.0.0.1", "EnginePort": node.port}
            record = Record.new(world.store.root, name, "cloud", data)
            wish = Membership(role, address="10.0.0.1", founder=role == "manager")
            membership.set_membership(record, replace(wish, node_id=node.id, cluster_id=node.cluster))
            record.phase = "ready"
            world.store.save(record)
            return node

        yield made


def said(world: Session) -> str:
    assert isinstance(world.console.err, io.StringIO)
    return world.console.err.getvalue()


def test_rm_with_force_reaches_the_platform_whatever_the_record_says(world: Session, make: Make) -> None:
    make("m1", "manager")
    record = world.store.load("m1")
    record.raw["Machine"]["SwarmMode"] = {"Role": "nonsense"}
    world.store.save(record)
    remove(world, "m1", force=True)
    assert "m1" not in Cloud.accounts[""], "it would go on and cost money"
    assert not world.store.exists("m1")
    assert "the record of machine m1 is broken; it is removed anyway" in said(world)


def test_leave_with_force_leaves_even_if_the_managers_do_not_let_it_go(world: Session, make: Make) -> None:
    m1, m2 = make("m1", "manager"), make("m2", "manager")
    m1.stubborn = m2.stubborn = True
    commands.leave(world, "m1", force=True)
    assert "gave up waiting for m1 to be no manager any more" in said(world)
    assert m1.id == "", "its engine is in no cluster, as the last line says"
    assert members.membership_of(world.store.load("m1")) is None


def test_a_machine_without_certificates_is_removed_by_the_others(world: Session, make: Make) -> None:
    m1, w1 = make("m1", "manager"), make("w1", "worker")
    Path(world.store.directory("w1"), "cert.pem").unlink()
    gone = w1.id
    remove(world, "w1")
    assert gone not in m1.rows
    assert "w1 was not told that it is in no cluster any more" in said(world)


def test_the_node_is_the_one_that_the_engine_names(world: Session, make: Make) -> None:
    m1, m2 = make("m1", "manager"), make("m2", "manager")
    record = world.store.load("m2")
    members.save_membership(world, record, replace(members.require_membership(record), node_id="id-of-an-earlier-time"))
    remove(world, "m2")
    assert list(m1.rows) == [m1.id], "demoted and off the list"
    assert f"DELETE /nodes/{m2.id or 'id-m2-old'}?force=true" in m1.asked


def test_a_manager_that_goes_by_the_same_command_is_not_missed(world: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    make("w1", "worker")
    m1.dies_at = "GET /nodes"
    remove(world, "w1", also_removed=["m1", "w1"])
    assert not world.store.exists("w1")


def test_the_key_is_not_kept_for_who_is_no_manager(world: Session, make: Make) -> None:
    for name in ("m1", "m2", "m3"):
        make(name, "manager")
        secrets.save(world.store.directory(name), {UNLOCK_KEY: "SWMKEY-1-x", "AccessToken": "t"}, world.environ)
    commands.demote(world, "m1")
    commands.leave(world, "m2", force=True)
    kept = {name: secrets.read(world.store.directory(name)) for name in ("m1", "m2", "m3")}
    assert kept["m1"] == kept["m2"] == {"AccessToken": "t"}
    assert kept["m3"][UNLOCK_KEY] == "SWMKEY-1-x"


def test_a_cluster_that_all_have_left_begins_anew(world: Session, make: Make) -> None:
    m1, w1 = make("m1", "manager"), make("w1", "worker")
    for node in (m1, w1):
        node.answer("POST", "/swarm/leave?force=true", {})
    for _ in range(2):  # to provision it once more changes nothing
        record = world.store.load("m1")
        endpoint = record.endpoint()
        assert endpoint is not None
        join.join(world, record, endpoint)
        assert members.require_membership(world.store.load("m1")).cluster_id == "new"
    assert m1.manages


def test_an_engine_that_founded_another_cluster_is_not_ours(world: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    make("w1", "worker")
    m1.answer("POST", "/swarm/leave?force=true", {})
    m1.enter("manager", "strange")
    record = world.store.load("m1")
    endpoint = record.endpoint()
    assert endpoint is not None
    with pytest.raises(SwarmModeError, match="another cluster"):
        join.join(world, record, endpoint)


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_a_cluster_that_nobody_contradicts_is_not_taken_for_ours(world: Session, make: Make, role: str) -> None:
    """The first machine of this store is an adopted host that is in a cluster already: there is nobody to ask."""
    m1 = make("m1", role)
    record = world.store.load("m1")
    members.save_membership(world, record, Membership("manager"))
    endpoint = record.endpoint()
    assert endpoint is not None
    with pytest.raises(SwarmModeError, match="m1 is in another cluster already"):
        join.join(world, record, endpoint)
    remove(world, "m1")
    assert m1.id, "the host stays where it was"


def test_a_host_of_another_cluster_is_refused_before_it_is_changed(world: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    record = world.store.load("m1")
    said_by_engine = m1.answer("GET", "/info", {})[1]["Swarm"]
    join.check_host(world, record, said_by_engine)
    members.save_membership(world, record, Membership("manager"))
    with pytest.raises(SwarmModeError, match="m1 is in another cluster already"):
        join.check_host(world, record, said_by_engine)


@pytest.mark.parametrize("force", [False, True])
def test_a_host_that_came_with_a_cluster_of_its_own_keeps_it(world: Session, make: Make, *, force: bool) -> None:
    """Create refused to take it; rm, or to let it go, must not end what was there before."""
    make("m1", "manager")
    w1 = make("w1", "worker")
    w1.rows.pop(w1.id)
    w1.rows = {}
    w1.enter("manager", "production")
    record = world.store.load("w1")
    members.save_membership(world, record, Membership("worker"))
    commands.leave(world, "w1", force=force)
    assert w1.manages
    assert "w1 is in another cluster than default, and stays there" in said(world)
    members.save_membership(world, record, Membership("worker", node_id="id-w1-old", cluster_id="old"))
    commands.leave(world, "w1", force=force)
    assert w1.manages, "nor when it has gone elsewhere since"
    members.save_membership(world, record, Membership("worker"))
    world.store.delete("m1")
    w1.rows["theirs"] = {"ID": "theirs", "Status": {"State": "ready"}}
    remove(world, "w1", force=force)
    assert w1.manages, "and those that need it there do not keep it here"


def test_a_join_that_was_cut_short_is_left(world: Session, make: Make) -> None:
    w1 = make("w1", "worker")
    record = world.store.load("w1")
    members.save_membership(world, record, Membership("worker", cluster_id="old"))
    commands.leave(world, "w1")
    assert w1.id == ""


def test_machines_without_any_manager_are_told_how_to_begin_anew(world: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    make("w1", "worker")
    m1.answer("POST", "/swarm/leave?force=true", {})
    record = world.store.load("m1")
    endpoint = record.endpoint()
    assert endpoint is not None
    with pytest.raises(SwarmModeError) as caught:
        join.join(world, record, endpoint)
    assert "machine ssh w1 sudo docker swarm leave --force; machine create --resume m1" in caught.value.resolution


def test_who_waits_for_another_change_of_the_cluster_says_so(world: Session, make: Make) -> None:
    make("m1", "manager")
    with members.cluster_lock(world, "default"):
        waiting = threading.Thread(target=commands.leave, args=(world, "m1"))
        waiting.start()
        until = time.monotonic() + 20
        while "waiting for" not in said(world) and time.monotonic() < until:
            time.sleep(0.05)
    waiting.join(20)
    assert "(change the cluster default)" in said(world)
    assert members.membership_of(world.store.load("m1")) is None
