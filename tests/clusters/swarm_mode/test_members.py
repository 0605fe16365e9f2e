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
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setitem(registry.TABLE, "cloud", f"{__name__}:Cloud")
    monkeypatch.setattr(Cloud, "accounts", {"": {"m1", "m2", "m3", "w1"}})
    environ = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker")}
    return Session(Store(str(tmp_path / "store")), Console(io.StringIO()), Quick(), environ)


@pytest.fixture
def make(session: Session) -> Iterator[Make]:
    """make(NAME, ROLE): a machine of the store with an engine, a member of the one cluster."""
    rows: dict[str, dict[str, object]] = {}
    with ExitStack() as stack:

        def made(name: str, role: str) -> Node:
            node = Node(name, rows)
            node.enter(role)
            session.store.add(name)
            stack.enter_context(serving(node, Path(session.store.directory(name))))
            data = {"AccessToken": "", "IPAddress": "127.0.0.1", "EnginePort": node.port}
            record = Record.new(session.store.root, name, "cloud", data)
            wish = Membership(role, address="10.0.0.1", founder=role == "manager")
            membership.set_membership(record, replace(wish, node_id=node.id, cluster_id=node.cluster))
            record.phase = "ready"
            session.store.save(record)
            return node

        yield made


def said(session: Session) -> str:
    assert isinstance(session.console.err, io.StringIO)
    return session.console.err.getvalue()


def test_rm_with_force_reaches_the_platform_whatever_the_record_says(session: Session, make: Make) -> None:
    make("m1", "manager")
    record = session.store.load("m1")
    record.raw["Machine"]["SwarmMode"] = {"Role": "nonsense"}
    session.store.save(record)
    remove(session, "m1", force=True)
    assert "m1" not in Cloud.accounts[""], "it would go on and cost money"
    assert not session.store.exists("m1")
    assert "the record of machine m1 is broken; it is removed anyway" in said(session)


def test_leave_with_force_leaves_even_if_the_managers_do_not_let_it_go(session: Session, make: Make) -> None:
    m1, m2 = make("m1", "manager"), make("m2", "manager")
    m1.stubborn = m2.stubborn = True
    commands.leave(session, "m1", force=True)
    assert "gave up waiting for m1 to be no manager any more" in said(session)
    assert m1.id == "", "its engine is in no cluster, as the last line says"
    assert members.membership_of(session.store.load("m1")) is None


def test_a_machine_without_certificates_is_removed_by_the_others(session: Session, make: Make) -> None:
    m1, w1 = make("m1", "manager"), make("w1", "worker")
    Path(session.store.directory("w1"), "cert.pem").unlink()
    gone = w1.id
    remove(session, "w1")
    assert gone not in m1.rows
    assert "w1 was not told that it is in no cluster any more" in said(session)


def test_the_node_is_the_one_that_the_engine_names(session: Session, make: Make) -> None:
    m1, m2 = make("m1", "manager"), make("m2", "manager")
    record = session.store.load("m2")
    members.save_membership(
        session, record, replace(members.require_membership(record), node_id="id-of-an-earlier-time")
    )
    remove(session, "m2")
    assert list(m1.rows) == [m1.id], "demoted and off the list"
    assert f"DELETE /nodes/{m2.id or 'id-m2-old'}?force=true" in m1.asked


def test_a_manager_that_goes_by_the_same_command_is_not_missed(session: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    make("w1", "worker")
    m1.dies_at = "GET /nodes"
    remove(session, "w1", also_removed=["m1", "w1"])
    assert not session.store.exists("w1")


def test_the_key_is_not_kept_for_who_is_no_manager(session: Session, make: Make) -> None:
    for name in ("m1", "m2", "m3"):
        make(name, "manager")
        secrets.save(session.store.directory(name), {UNLOCK_KEY: "SWMKEY-1-x", "AccessToken": "t"}, session.environ)
    commands.demote(session, "m1")
    commands.leave(session, "m2", force=True)
    kept = {name: secrets.read(session.store.directory(name)) for name in ("m1", "m2", "m3")}
    assert kept["m1"] == kept["m2"] == {"AccessToken": "t"}
    assert kept["m3"][UNLOCK_KEY] == "SWMKEY-1-x"


def test_a_cluster_that_all_have_left_begins_anew(session: Session, make: Make) -> None:
    m1, w1 = make("m1", "manager"), make("w1", "worker")
    for node in (m1, w1):
        node.answer("POST", "/swarm/leave?force=true", {})
    for _ in range(2):  # to provision it once more changes nothing
        record = session.store.load("m1")
        endpoint = record.endpoint()
        assert endpoint is not None
        join.join(session, record, endpoint)
        assert members.require_membership(session.store.load("m1")).cluster_id == "new"
    assert m1.manages


def test_an_engine_that_founded_another_cluster_is_not_ours(session: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    make("w1", "worker")
    m1.answer("POST", "/swarm/leave?force=true", {})
    m1.enter("manager", "strange")
    record = session.store.load("m1")
    endpoint = record.endpoint()
    assert endpoint is not None
    with pytest.raises(SwarmModeError, match="another cluster"):
        join.join(session, record, endpoint)


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_a_cluster_that_nobody_contradicts_is_not_taken_for_ours(session: Session, make: Make, role: str) -> None:
    """The first machine of this store is an adopted host that is in a cluster already: there is nobody to ask."""
    m1 = make("m1", role)
    record = session.store.load("m1")
    members.save_membership(session, record, Membership("manager"))
    endpoint = record.endpoint()
    assert endpoint is not None
    with pytest.raises(SwarmModeError, match="m1 is in another cluster already"):
        join.join(session, record, endpoint)
    remove(session, "m1")
    assert m1.id, "the host stays where it was"


def test_a_host_of_another_cluster_is_refused_before_it_is_changed(session: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    record = session.store.load("m1")
    said_by_engine = m1.answer("GET", "/info", {})[1]["Swarm"]
    join.check_host(session, record, said_by_engine)
    members.save_membership(session, record, Membership("manager"))
    with pytest.raises(SwarmModeError, match="m1 is in another cluster already"):
        join.check_host(session, record, said_by_engine)


@pytest.mark.parametrize("force", [False, True])
def test_a_host_that_came_with_a_cluster_of_its_own_keeps_it(session: Session, make: Make, *, force: bool) -> None:
    """Create refused to take it; rm, or to let it go, must not end what was there before."""
    make("m1", "manager")
    w1 = make("w1", "worker")
    w1.rows.pop(w1.id)
    w1.rows = {}
    w1.enter("manager", "production")
    record = session.store.load("w1")
    members.save_membership(session, record, Membership("worker"))
    commands.leave(session, "w1", force=force)
    assert w1.manages
    assert "w1 is in another cluster than default, and stays there" in said(session)
    members.save_membership(session, record, Membership("worker", node_id="id-w1-old", cluster_id="old"))
    commands.leave(session, "w1", force=force)
    assert w1.manages, "nor when it has gone elsewhere since"
    members.save_membership(session, record, Membership("worker"))
    session.store.delete("m1")
    w1.rows["theirs"] = {"ID": "theirs", "Status": {"State": "ready"}}
    remove(session, "w1", force=force)
    assert w1.manages, "and those that need it there do not keep it here"


def test_a_join_that_was_cut_short_is_left(session: Session, make: Make) -> None:
    w1 = make("w1", "worker")
    record = session.store.load("w1")
    members.save_membership(session, record, Membership("worker", cluster_id="old"))
    commands.leave(session, "w1")
    assert w1.id == ""


def test_machines_without_any_manager_are_told_how_to_begin_anew(session: Session, make: Make) -> None:
    m1 = make("m1", "manager")
    make("w1", "worker")
    m1.answer("POST", "/swarm/leave?force=true", {})
    record = session.store.load("m1")
    endpoint = record.endpoint()
    assert endpoint is not None
    with pytest.raises(SwarmModeError) as caught:
        join.join(session, record, endpoint)
    assert "machine ssh w1 sudo docker swarm leave --force; machine create --resume m1" in caught.value.resolution


def test_who_waits_for_another_change_of_the_cluster_says_so(session: Session, make: Make) -> None:
    make("m1", "manager")
    with members.cluster_lock(session, "default"):
        waiting = threading.Thread(target=commands.leave, args=(session, "m1"))
        waiting.start()
        until = time.monotonic() + 20
        while "waiting for" not in said(session) and time.monotonic() < until:
            time.sleep(0.05)
    waiting.join(20)
    assert "(change the cluster default)" in said(session)
    assert members.membership_of(session.store.load("m1")) is None
