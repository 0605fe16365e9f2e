"""Removing a machine while the environment holds the secrets of another account."""

from __future__ import annotations

import io
import os
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from machine import secrets
from machine.console import Console
from machine.drivers import registry
from machine.errors import DriverError, InProgress, RecordBroken, StoreError
from machine.lifecycle.driver_record import driver_context, save_driver_state
from machine.lifecycle.remove import remove
from machine.model import State
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.cloud import TokenDriver


class Cloud(TokenDriver):
    """A cloud of several accounts; asking one about another's machine finds nothing."""

    accounts: ClassVar[dict[str, set[str]]] = {}  # token -> the machines there

    def check(self) -> None:
        """Nothing to look at."""

    def create(self) -> None:
        self._there.add(self.ctx.name)

    def state(self) -> State:
        return State.RUNNING if self.ctx.name in self._there else State.MISSING

    def remove(self) -> None:
        self._there.discard(self.ctx.name)

    @property
    def _there(self) -> set[str]:
        return self.accounts[self.data["AccessToken"]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with the machine dev, made with the token of the first account."""
    monkeypatch.setitem(registry.TABLE, "cloud", f"{__name__}:Cloud")
    monkeypatch.setattr(Cloud, "accounts", {"first": {"dev"}, "fresh": {"dev"}, "second": set()})
    store = Store(str(tmp_path / "store"))
    store.add("dev")
    store.save(Record.new(store.root, "dev", "cloud", {"AccessToken": ""}))
    secrets.save(store.directory("dev"), {"AccessToken": "first"}, {})
    return store


def open_session(store: Store, **environ: str) -> Session:
    return Session(store, Console(io.StringIO()), environ={"HOME": store.root, **environ})


def test_a_machine_of_another_account_is_not_forgotten(store: Store) -> None:
    with pytest.raises(DriverError) as caught:
        remove(open_session(store, CLOUD_TOKEN="second"), "dev")
    assert "unset CLOUD_TOKEN" in caught.value.resolution
    assert store.names() == ["dev"]
    remove(open_session(store), "dev")
    assert store.names() == []
    assert Cloud.accounts["first"] == set()


def test_a_newer_secret_of_the_same_account_does(store: Store) -> None:
    remove(open_session(store, CLOUD_TOKEN="fresh"), "dev")
    assert store.names() == []
    assert Cloud.accounts["fresh"] == set()


def test_force_forgets_it_all_the_same(store: Store) -> None:
    remove(open_session(store, CLOUD_TOKEN="second"), "dev", force=True)
    assert store.names() == []


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_that_cannot_be_removed_is_found_before_the_platform_is_asked(store: Store, force: bool) -> None:
    """A machine's directory that is a link is refused for root too; the test of modes is that of the store."""
    elsewhere = os.path.join(store.root, "elsewhere")
    os.rename(store.directory("dev"), elsewhere)
    os.symlink(elsewhere, store.directory("dev"))
    with pytest.raises(StoreError, match="left alone"):
        remove(open_session(store), "dev", force=force)
    assert Cloud.accounts["first"] == {"dev"}


def test_a_directory_that_resists_at_the_end_says_what_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("machine.store.remove.os.rename", refuse)
    with pytest.raises(StoreError) as caught:
        remove(open_session(store), "dev")
    assert "all else of dev is removed already" in caught.value.details
    assert caught.value.resolution.endswith("machine rm dev")
    assert Cloud.accounts["first"] == set()


def test_one_that_is_gone_is_forgotten_with_its_own_secret(store: Store) -> None:
    Cloud.accounts["first"].clear()
    remove(open_session(store, CLOUD_TOKEN="first"), "dev")
    assert store.names() == []


def test_force_empties_the_keyring_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that refuses the removal is no reason to keep the secret."""
    kept: dict[tuple[str, str], str] = {}
    ring = types.SimpleNamespace(
        set_password=lambda service, user, text: kept.update({(service, user): text}),
        get_password=lambda service, user: kept.get((service, user)),
        delete_password=lambda service, user: kept.pop((service, user)),
    )
    monkeypatch.setitem(sys.modules, "keyring", ring)
    environ = {"MACHINE_SECRETS": "keyring"}
    secrets.save(store.directory("dev"), {"AccessToken": "first"}, environ)
    assert kept
    Cloud.accounts["first"] = Stubborn()
    remove(open_session(store, **environ), "dev", force=True)
    assert (store.names(), kept) == ([], {})


class Stubborn(set[str]):
    """An account that removes nothing."""

    def discard(self, element: object) -> None:
        raise DriverError(f"{element} is locked")


class Lingering(Cloud):
    """A cloud that goes on removing for some seconds of the session's clock."""

    clock: ClassVar[list[float]] = []
    seconds: ClassVar[float] = 0.0

    def remove(self) -> None:
        if sum(self.clock) < self.seconds:
            raise InProgress("the cloud is still removing dev")
        super().remove()


@pytest.mark.parametrize(("seconds", "lines"), [(0.2, 0), (20.0, 1)])
def test_a_removal_that_takes_longer_says_so_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, seconds: float, lines: int
) -> None:
    monkeypatch.setitem(registry.TABLE, "cloud", f"{__name__}:Lingering")
    pauses: list[float] = []
    monkeypatch.setattr(Lingering, "clock", pauses)
    monkeypatch.setattr(Lingering, "seconds", seconds)
    said = io.StringIO()
    clock = SimpleNamespace(now=lambda: sum(pauses), sleep=pauses.append)
    remove(Session(store, Console(said), environ={"HOME": store.root}, clock=clock), "dev")
    assert said.getvalue().count("the cloud is still removing dev; what depends on it") == lines
    assert not store.exists("dev")


def test_a_create_that_was_killed_between_its_secrets_and_its_record_is_removed_without_force(store: Store) -> None:
    os.unlink(os.path.join(store.directory("dev"), "config.json"))
    assert os.listdir(store.directory("dev")) == ["secrets.json"]
    remove(open_session(store), "dev")
    assert store.names() == []


def test_a_machine_that_lost_its_record_is_removed_by_force_only(store: Store) -> None:
    os.unlink(os.path.join(store.directory("dev"), "config.json"))
    Path(store.directory("dev"), "id_rsa").write_text("key")  # made after the record, before the platform is asked
    with pytest.raises(RecordBroken):
        remove(open_session(store), "dev")
    remove(open_session(store), "dev", force=True)
    assert store.names() == []


@pytest.mark.parametrize("choice", ["keyring", "file"])
def test_the_environment_of_the_session_chooses_where_secrets_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    """Not that of the process: `remove` forgets, and every command reads, what the session's chooses."""
    kept: dict[tuple[str, str], str] = {}
    ring = types.SimpleNamespace(
        set_password=lambda service, user, text: kept.update({(service, user): text}),
        get_password=lambda service, user: kept.get((service, user)),
    )
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setenv("MACHINE_SECRETS", "file" if choice == "keyring" else "keyring")
    session = open_session(store, MACHINE_SECRETS=choice)
    record = store.load("dev")
    save_driver_state(session, record, Cloud.load(driver_context(session, record), {"AccessToken": "new"}))
    assert bool(kept) == (choice == "keyring")
    expected = {"AccessToken": "first" if choice == "keyring" else "new"}
    assert secrets.read(store.directory("dev")) == expected
