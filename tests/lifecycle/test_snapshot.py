"""Snapshots on a platform that is slow to let go of things."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Snapshot
from machine.errors import DriverError, InProgress
from machine.lifecycle import snapshot
from machine.model import State
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.cloud import MadeDriver
from tests.lifecycle.test_waiting import LeapingClock


class Shelf:
    """The snapshots of the one machine that there is."""

    tags: ClassVar[list[str]] = []
    busy: ClassVar[list[str]] = []  # what has to end before one is restored
    restored: ClassVar[list[str]] = []

    def all(self) -> Sequence[Snapshot]:
        return [Snapshot(tag, "2026-11-30T02:11:37+00:00", memory=False) for tag in self.tags]

    def take(self, tag: str) -> None:
        self.tags.append(tag)

    def restore(self, tag: str) -> None:
        if self.busy:
            raise InProgress(self.busy.pop())
        self.restored.append(tag)

    def remove(self, tag: str) -> None:
        self.tags.remove(tag)


class ShelfDriver(MadeDriver):
    """A machine that is off and has snapshots."""

    def state(self) -> State:
        return State.STOPPED

    def snapshots(self) -> Shelf:
        return Shelf()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A store with the machine `dev`, which has the snapshot `one`."""
    monkeypatch.setitem(registry.TABLE, "shelf", f"{__name__}:ShelfDriver")
    for name, value in {"tags": ["one"], "busy": [], "restored": []}.items():
        monkeypatch.setattr(Shelf, name, value)
    made = Session(Store(str(tmp_path)), Console(io.StringIO()), environ={}, clock=LeapingClock())
    made.store.add("dev")
    record = Record.new(made.store.root, "dev", "shelf", {})
    record.phase = "ready"
    made.store.save(record)
    return made


def test_a_restore_waits_for_what_has_to_end_first(session: Session) -> None:
    Shelf.busy += ["port 22 of dev is not free yet", "and again"]
    snapshot.restore(session, "dev", "one")
    assert Shelf.restored == ["one"]


def test_no_more_snapshots_than_a_disk_may_have(session: Session) -> None:
    """One that has more is taken for damaged when its machine is started."""
    Shelf.tags[:] = [f"t{number}" for number in range(snapshot.MOST)]
    with pytest.raises(DriverError, match="cannot have more"):
        snapshot.take(session, "dev", "one-more")
    assert len(Shelf.tags) == snapshot.MOST
