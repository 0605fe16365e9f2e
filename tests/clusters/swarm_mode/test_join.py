"""Swarm mode before anything is made: what could never work is refused, and firewalls are told of its ports."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from machine.clusters.swarm_mode import join, membership
from machine.clusters.swarm_mode.membership import Membership
from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Traits
from machine.errors import PreflightFailed
from machine.lifecycle.driver_record import driver_context
from machine.model import SwarmOptions
from machine.options import resolve
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.test_remove import Cloud


class Elsewhere(Cloud):
    """Another cloud."""

    traits: ClassVar[Traits] = replace(Cloud.traits, name="elsewhere")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    for cls in (Cloud, Elsewhere):
        monkeypatch.setitem(registry.TABLE, cls.traits.name, f"{__name__}:{cls.__name__}")
    return Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ={"HOME": str(tmp_path)})


def keep(session: Session, name: str, driver_name: str, wish: Membership) -> Record:
    """A record that is incomplete."""
    record = Record.new(session.store.root, name, driver_name, {"AccessToken": ""})
    membership.set_membership(record, wish)
    session.store.add(name)
    session.store.save(record)
    return record


def check(session: Session, driver_name: str, wish: Membership, name: str = "new") -> None:
    """What `create` asks before it makes `name`."""
    record = Record.new(session.store.root, name, driver_name, {"AccessToken": ""})
    membership.set_membership(record, wish)
    cls = registry.find(driver_name)
    values = resolve(cls.traits.options, {"url": "tcp://192.0.2.1:2376"}, {})
    join.check(session, record, cls.configure(driver_context(session, record), values))


def test_a_worker_needs_a_manager_of_its_cluster(session: Session) -> None:
    keep(session, "m", "cloud", Membership("manager", "other"))
    with pytest.raises(PreflightFailed) as caught:
        check(session, "cloud", Membership("worker", "shop"))
    assert caught.value.exit_code == 3
    assert "--swarm-mode manager --swarm-discovery shop" in caught.value.resolution
    check(session, "cloud", Membership("worker", "other"))
    check(session, "cloud", Membership("manager", "shop"))


def test_a_url_cannot_take_part(session: Session) -> None:
    with pytest.raises(PreflightFailed, match="none"):
        check(session, "none", Membership("manager"))


def test_a_manager_behind_nat_is_no_manager_for_a_cloud(session: Session) -> None:
    keep(session, "head", "qemu", Membership("manager"))
    with pytest.raises(PreflightFailed) as caught:
        check(session, "cloud", Membership("worker"))
    assert "head is behind this computer's NAT: new could reach none of its ports" in caught.value.details
    assert "--swarm --swarm-master" in caught.value.resolution
    assert "machine swarm manage" in caught.value.resolution


def test_nor_is_a_machine_behind_nat_a_worker_of_a_cloud(session: Session) -> None:
    keep(session, "head", "cloud", Membership("manager"))
    with pytest.raises(PreflightFailed) as caught:
        check(session, "qemu", Membership("worker"))
    assert "new is behind this computer's NAT: head could reach none of its ports" in caught.value.details


def test_who_names_an_address_knows_better(session: Session) -> None:
    keep(session, "head", "qemu", Membership("manager", address="203.0.113.9"))
    check(session, "cloud", Membership("worker"))


def test_two_clouds_may_try(session: Session) -> None:
    keep(session, "head", "elsewhere", Membership("manager"))
    check(session, "cloud", Membership("worker"))


def test_firewalls_are_told_of_the_ports(session: Session) -> None:
    plain = Record.new(session.store.root, "plain", "cloud", {})
    assert driver_context(session, plain).cluster_ports == ()
    membership.set_membership(plain, Membership("worker"))
    assert driver_context(session, plain).cluster_ports == (2377, 7946, 4789)
    classic = Record.new(session.store.root, "head", "cloud", {}, swarm=SwarmOptions(is_swarm=True, master=True))
    assert driver_context(session, classic).cluster_ports == (3376,)
