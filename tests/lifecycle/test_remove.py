"""Removing a machine while the environment holds the secrets of another account."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from machine import drivers, secrets
from machine.console import Console
from machine.drivers.base import Driver, DriverContext
from machine.errors import DriverError
from machine.lifecycle.remove import remove
from machine.lifecycle.world import World
from machine.model import Endpoint, State
from machine.options import Option, Values
from machine.store import Record, Store


class Cloud(Driver):
    """A cloud of several accounts; asking one about another's machine finds nothing."""

    name: ClassVar[str] = "cloud"
    options: ClassVar[tuple[Option, ...]] = (Option("cloud-token", env="CLOUD_TOKEN", secret=True, key="AccessToken"),)
    accounts: ClassVar[dict[str, set[str]]] = {}  # token -> the machines there

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, {"AccessToken": values["cloud-token"]})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, data)

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def check(self) -> None:
        """Nothing to look at."""

    def create(self) -> None:
        self._there.add(self.ctx.name)

    def state(self) -> State:
        return State.RUNNING if self.ctx.name in self._there else State.MISSING

    def endpoint(self) -> Endpoint | None:
        return None

    def remove(self) -> None:
        self._there.discard(self.ctx.name)

    @property
    def _there(self) -> set[str]:
        return self.accounts[self.data["AccessToken"]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with the machine dev, made with the token of the first account."""
    monkeypatch.setitem(drivers.TABLE, "cloud", f"{__name__}:Cloud")
    monkeypatch.setattr(Cloud, "accounts", {"first": {"dev"}, "fresh": {"dev"}, "second": set()})
    store = Store(str(tmp_path / "store"))
    store.add("dev")
    store.save(Record.new(store.root, "dev", "cloud", {"AccessToken": ""}))
    secrets.save(store.directory("dev"), {"AccessToken": "first"}, {})
    return store


def world(store: Store, **environ: str) -> World:
    return World(store, Console(io.StringIO()), environ={"HOME": store.root, **environ})


def test_a_machine_of_another_account_is_not_forgotten(store: Store) -> None:
    with pytest.raises(DriverError) as caught:
        remove(world(store, CLOUD_TOKEN="second"), "dev")
    assert "unset CLOUD_TOKEN" in caught.value.resolution
    assert store.names() == ["dev"]
    remove(world(store), "dev")
    assert store.names() == []
    assert Cloud.accounts["first"] == set()


def test_a_newer_secret_of_the_same_account_does(store: Store) -> None:
    remove(world(store, CLOUD_TOKEN="fresh"), "dev")
    assert store.names() == []
    assert Cloud.accounts["fresh"] == set()


def test_force_forgets_it_all_the_same(store: Store) -> None:
    remove(world(store, CLOUD_TOKEN="second"), "dev", force=True)
    assert store.names() == []


def test_one_that_is_gone_is_forgotten_with_its_own_secret(store: Store) -> None:
    Cloud.accounts["first"].clear()
    remove(world(store, CLOUD_TOKEN="first"), "dev")
    assert store.names() == []


def test_force_empties_the_keyring_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that refuses the removal is no reason to keep the secret."""
    kept: dict[tuple[str, str], str] = {}
    ring = types.ModuleType("keyring")
    ring.set_password = lambda service, user, text: kept.update({(service, user): text})  # type: ignore[attr-defined]
    ring.get_password = lambda service, user: kept.get((service, user))  # type: ignore[attr-defined]
    ring.delete_password = lambda service, user: kept.pop((service, user))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    environ = {"MACHINE_SECRETS": "keyring"}
    secrets.save(store.directory("dev"), {"AccessToken": "first"}, environ)
    assert kept
    Cloud.accounts["first"] = Stubborn()
    remove(world(store, **environ), "dev", force=True)
    assert (store.names(), kept) == ([], {})


class Stubborn(set[str]):
    """An account that removes nothing."""

    def discard(self, element: str) -> None:
        raise DriverError(f"{element} is locked")
