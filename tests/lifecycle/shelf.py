"""A platform that has snapshots and clones, as a file in the store: what it knows outlives the process that asked."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Driver, Snapshot, Traits
from machine.errors import InProgress
from machine.model import State, Verb
from machine.options import VALUE, Option, Values
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.cloud import MadeDriver
from tests.lifecycle.test_waiting import LeapingClock

SIZE = "shelf-size"
FILE = "shelf.json"
NEW: dict[str, Any] = {"tags": {}, "busy": [], "restored": [], "size": 1, "state": "Stopped", "power": []}


class Shelf:
    """What the platform knows of its one machine: the size that it has, and that of each snapshot by its tag."""

    def __init__(self, store: str) -> None:
        self._path = Path(store, FILE)

    def read(self) -> dict[str, Any]:
        known: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else NEW
        return {**NEW, **known}

    def write(self, **changed: Any) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps({**self.read(), **changed}))
        os.replace(part, self._path)


@dataclass
class ShelfSnapshots:
    """The snapshots of the machine of `driver`, which bring its size back."""

    driver: ShelfDriver
    restored_options: Sequence[str] = (SIZE,)

    def all(self) -> Sequence[Snapshot]:
        return [Snapshot(tag, "2026-11-30T02:11:37+00:00", memory=False) for tag in self.driver.shelf.read()["tags"]]

    def take(self, tag: str, *, memory: bool) -> bool:
        known = self.driver.shelf.read()
        self.driver.shelf.write(tags={**known["tags"], tag: known["size"]})
        return memory and known["state"] == "Running"

    def restore(self, wanted: Snapshot) -> None:
        known = self.driver.shelf.read()
        if known["busy"]:
            self.driver.shelf.write(busy=known["busy"][1:])
            raise InProgress(known["busy"][0])
        self.driver.shelf.write(restored=[*known["restored"], wanted.tag], size=known["tags"][wanted.tag])
        self.driver.data["Size"] = known["tags"][wanted.tag]
        self.driver.ctx.save(self.driver)

    def remove(self, tag: str) -> None:
        tags = self.driver.shelf.read()["tags"]
        del tags[tag]
        self.driver.shelf.write(tags=tags)


class ShelfDriver(MadeDriver):
    """A machine that has snapshots, clones, and a size that changes while it is off."""

    traits: ClassVar[Traits] = Traits(
        name="shelf", options=(Option(SIZE, "int", default=1, changeable=VALUE),), has_host=False, can_power=True
    )

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.ctx.store)

    def state(self) -> State:
        return State(self.shelf.read()["state"])

    def power(self, verb: Verb) -> None:
        self.shelf.write(
            state=(State.RUNNING if verb is Verb.START else State.STOPPED).value,
            power=[*self.shelf.read()["power"], verb.value],
        )

    def remove(self) -> None:
        pass

    def snapshots(self) -> ShelfSnapshots:
        return ShelfSnapshots(self)

    def clone_from(self, source: Driver, tag: str, typed: Collection[str]) -> None:
        raise AssertionError("records are written by the tests")

    def current_values(self) -> Values:
        return {SIZE: self.data.get("Size", 1)}

    def change(self, values: Values) -> None:
        self.data["Size"] = values[SIZE]

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        if self.state() is not State.STOPPED:
            return ()
        self.shelf.write(size=self.data.get("Size", 1))
        return list(names)

    def wanted_disk(self) -> int:
        return 0


def session_of(directory: Path, said: io.StringIO | None = None) -> Session:
    """A session over the store in `directory`, whose console writes to `said`."""
    return Session(Store(str(directory)), Console(said or io.StringIO()), environ={}, clock=LeapingClock())


def add(session: Session, name: str, phase: str = "ready", **driver: Any) -> Record:
    """Add a machine of this platform to the store."""
    session.store.add(name)
    record = Record.new(session.store.root, name, "shelf", driver)
    record.phase = phase
    session.store.save(record)
    return record


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A store with the machine `dev`, which has the snapshot `one` and is off."""
    monkeypatch.setitem(registry.TABLE, "shelf", f"{__name__}:ShelfDriver")
    made = session_of(tmp_path)
    Shelf(made.store.root).write(tags={"one": 1})
    add(made, "dev", Size=1)
    return made
