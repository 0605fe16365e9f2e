"""Waiting for a machine: what the error says when it does not come."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from machine.console import Console
from machine.errors import WaitTimeout
from machine.lifecycle import access
from machine.lifecycle.world import World, context
from machine.model import State
from machine.store import Record, Store
from tests.lifecycle.test_remove import Cloud


class Hurried:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_a_state_that_never_comes_is_told_with_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cloud, "accounts", {"first": {"dev"}})
    store = Store(str(tmp_path / "store"))
    world = World(store, Console(io.StringIO()), clock=Hurried())
    record = Record.new(store.root, "dev", "cloud", {})
    driver = Cloud(context(world, record), {"AccessToken": "first"})
    with pytest.raises(WaitTimeout) as caught:
        access.wait_for_state(world, driver, State.STOPPED, 90.0)
    assert "dev to be Stopped after 90 s" in caught.value.brief
    assert "Running" in caught.value.details
    assert "machine status dev" in caught.value.resolution
