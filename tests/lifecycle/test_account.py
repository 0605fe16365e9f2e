"""Which account is asked: what was typed, kept, or happens to be in the environment."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from machine import secrets
from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Driver, DriverContext, Traits
from machine.errors import DriverError
from machine.lifecycle.create import create, resume
from machine.lifecycle.draft import CreateRequest
from machine.lifecycle.remove import remove
from machine.model import Endpoint, EngineOptions, State, SwarmOptions
from machine.options import Option, Values, resolve
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.cloud import TokenDriver


class Plugin(Driver):
    """Knows nothing of accounts, and as many of docker-machine's plugins: no state, or an error, for what is not there.

    Removing what is not there is a success.
    """

    traits: ClassVar[Traits] = Traits(
        name="plugin",
        options=(Option("plugin-token", env="PLUGIN_TOKEN", secret=True, key="Token"),),
        has_host=False,
    )
    refuses: ClassVar[bool] = False

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, {"Token": values["plugin-token"]})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, data)

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def check(self) -> None: ...

    def create(self) -> None: ...

    def state(self) -> State:
        if self.data["Token"] == "right":
            return State.RUNNING
        if self.refuses:
            raise DriverError("the plugin could not answer GetState: 404")
        return State.NONE

    def endpoint(self) -> Endpoint | None:
        return None

    def remove(self) -> None: ...


class Cloud(TokenDriver):
    """A cloud that says whose token it is asked with; a token is `person/account`, "" is whoever logged in."""

    traits: ClassVar[Traits] = replace(TokenDriver.traits, has_host=False)
    machines: ClassVar[dict[str, set[str]]] = {}  # account -> the machines there
    logged_in: ClassVar[str] = "ada/home"
    tells: ClassVar[bool] = True
    asked: ClassVar[list[str]] = []  # the tokens that machines were made with

    def account_recorded(self) -> str:
        return str(self.data.get("Account") or "")

    def current_account(self) -> str:
        return self._account if self.tells else ""

    def check(self) -> None:
        self.data["Account"] = self.current_account()

    def create(self) -> None:
        self.asked.append(str(self.data["AccessToken"]))
        self._there.add(self.ctx.name)
        self.ctx.save(self)

    def state(self) -> State:
        return State.RUNNING if self.ctx.name in self._there else State.MISSING

    def remove(self) -> None:
        self._there.discard(self.ctx.name)

    @property
    def _account(self) -> str:
        return (str(self.data["AccessToken"]) or self.logged_in).partition("/")[2]

    @property
    def _there(self) -> set[str]:
        return self.machines.setdefault(self._account, set())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setitem(registry.TABLE, "cloud", f"{__name__}:Cloud")
    for name, value in (("machines", {}), ("logged_in", "ada/home"), ("tells", True), ("asked", [])):
        monkeypatch.setattr(Cloud, name, value)
    return Store(str(tmp_path / "store"))


def open_session(store: Store, **environ: str) -> Session:
    return Session(store, Console(io.StringIO()), environ={"HOME": store.root, "DOCKER_CONFIG": store.root, **environ})


def make(store: Store, typed: str = "", **environ: str) -> None:
    """`create dev`, with the token typed or in the environment."""
    values = resolve(Cloud.traits.options, {"cloud-token": typed} if typed else {}, environ)
    wanted = CreateRequest("cloud", values, EngineOptions(), SwarmOptions(), docker_context=False)
    create(open_session(store, **environ), "dev", wanted)


def test_what_was_typed_is_what_create_asks_with_and_keeps(store: Store) -> None:
    make(store, "bob/typed", CLOUD_TOKEN="bob/environment")
    assert Cloud.asked == ["bob/typed"]
    assert Cloud.machines["typed"] == {"dev"}
    assert secrets.read(store.directory("dev")) == {"AccessToken": "bob/typed"}


def test_a_later_commands_variable_is_not_kept(store: Store) -> None:
    make(store, CLOUD_TOKEN="bob/work")
    resume(open_session(store, CLOUD_TOKEN="bob2/work"), "dev", docker_context=False)
    assert Cloud.asked == ["bob/work", "bob2/work"], "the variable wins for the one command"
    assert secrets.read(store.directory("dev")) == {"AccessToken": "bob/work"}


def test_a_machine_made_without_a_token_stays_without(store: Store) -> None:
    make(store)
    resume(open_session(store, CLOUD_TOKEN="ada2/home"), "dev", docker_context=False)
    assert secrets.read(store.directory("dev")) == {}


def test_another_login_is_told_from_a_machine_that_is_gone(store: Store) -> None:
    """No variable of ours has changed: another profile or role is in force."""
    make(store)
    Cloud.logged_in = "ada/work"
    with pytest.raises(DriverError) as caught:
        remove(open_session(store), "dev")
    assert "made in the account home" in caught.value.brief
    assert "asked is work" in caught.value.brief
    assert "credentials of home" in caught.value.resolution
    assert store.names() == ["dev"]
    Cloud.logged_in = "ada/home"
    Cloud.machines["home"].clear()
    remove(open_session(store), "dev")
    assert store.names() == []


def test_a_new_token_of_the_same_account_may_say_that_it_is_gone(store: Store) -> None:
    make(store, CLOUD_TOKEN="bob/work")
    Cloud.machines["work"].clear()
    remove(open_session(store, CLOUD_TOKEN="bob2/work"), "dev")
    assert store.names() == []


def test_a_variable_of_another_account_is_named(store: Store) -> None:
    make(store, CLOUD_TOKEN="bob/work")
    with pytest.raises(DriverError) as caught:
        remove(open_session(store, CLOUD_TOKEN="bob/home"), "dev")
    assert "unset CLOUD_TOKEN" in caught.value.resolution
    assert "bob" not in f"{caught.value.brief}{caught.value.details}{caught.value.resolution}"
    remove(open_session(store, CLOUD_TOKEN="bob/home"), "dev", force=True)
    assert store.names() == []


def test_a_resumed_create_makes_nothing_in_another_account(store: Store) -> None:
    make(store)
    record = store.load("dev")
    record.phase = "recorded"
    store.save(record)
    Cloud.machines["home"].clear()
    Cloud.logged_in = "ada/work"
    with pytest.raises(DriverError) as caught:
        resume(open_session(store), "dev", docker_context=False)
    assert "create --resume dev" in caught.value.resolution
    assert Cloud.machines.get("work", set()) == set()
    Cloud.logged_in = "ada/home"
    resume(open_session(store), "dev", docker_context=False)
    assert Cloud.machines["home"] == {"dev"}


def test_a_resumed_create_may_use_a_new_token_of_the_same_account(store: Store) -> None:
    make(store, CLOUD_TOKEN="bob/work")
    record = store.load("dev")
    record.phase = "recorded"
    store.save(record)
    Cloud.machines["work"].clear()
    resume(open_session(store, CLOUD_TOKEN="bob2/work"), "dev", docker_context=False)
    assert Cloud.machines["work"] == {"dev"}


def test_where_nobody_tells_it_is_believed(store: Store) -> None:
    make(store)
    Cloud.tells = False
    Cloud.machines["home"].clear()
    remove(open_session(store), "dev")
    assert store.names() == []


def test_a_record_of_before_is_removed_as_before(store: Store) -> None:
    store.add("old")
    store.save(Record.new(store.root, "old", "cloud", {"AccessToken": ""}))
    remove(open_session(store), "old")
    assert store.names() == []


@pytest.mark.parametrize("refuses", [False, True])
def test_a_driver_without_a_word_for_missing_forgets_nothing_either(
    store: Store, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    monkeypatch.setitem(registry.TABLE, "plugin", f"{__name__}:Plugin")
    monkeypatch.setattr(Plugin, "refuses", refuses)
    values = {"plugin-token": "right"}
    create(
        open_session(store),
        "dev",
        CreateRequest("plugin", values, EngineOptions(), SwarmOptions(), docker_context=False),
    )
    with pytest.raises(DriverError) as caught:
        remove(open_session(store, PLUGIN_TOKEN="another"), "dev")
    assert "unset PLUGIN_TOKEN, then machine rm dev" in caught.value.resolution
    assert "$PLUGIN_TOKEN differ" in caught.value.details
    assert store.names() == ["dev"]
    remove(open_session(store), "dev")
    assert store.names() == []


def test_a_resumed_create_says_that_it_believes_a_new_token(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TABLE, "plugin", f"{__name__}:Plugin")
    values = {"plugin-token": "right"}
    create(
        open_session(store),
        "dev",
        CreateRequest("plugin", values, EngineOptions(), SwarmOptions(), docker_context=False),
    )
    record = store.load("dev")
    record.phase = "recorded"
    store.save(record)
    said = io.StringIO()
    resume(replace(open_session(store, PLUGIN_TOKEN="another"), console=Console(said)), "dev", docker_context=False)
    assert "$PLUGIN_TOKEN differ from what is kept for dev" in said.getvalue()
    record.phase = "recorded"
    store.save(record)
    silent = io.StringIO()
    resume(replace(open_session(store, PLUGIN_TOKEN="right"), console=Console(silent)), "dev", docker_context=False)
    assert "PLUGIN_TOKEN" not in silent.getvalue()
