"""Snapshots on a platform that is slow to let go of things, and what the record says after one was restored."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from machine.drivers.base import Snapshot
from machine.errors import DriverError, UsageError
from machine.lifecycle import change, pending_changes, snapshot
from machine.lifecycle.driver_record import open_driver
from machine.session import Session
from tests.lifecycle.shelf import SIZE, Shelf, ShelfDriver, ShelfSnapshots, session, session_of

__all__ = ["session"]


def shelf(session: Session) -> Shelf:
    return Shelf(session.store.root)


def size_on_record(session: Session) -> int:
    found: int = session.store.load("dev").driver_object["Size"]
    return found


def test_a_restore_waits_for_what_has_to_end_first(session: Session) -> None:
    shelf(session).write(busy=["port 22 of dev is not free yet", "and again"])
    snapshot.restore(session, "dev", "one")
    assert shelf(session).read()["restored"] == ["one"]


def test_no_more_snapshots_than_a_disk_may_have(session: Session) -> None:
    """One that has more is taken for damaged when its machine is started."""
    shelf(session).write(tags={f"t{number}": 1 for number in range(snapshot.MOST)})
    with pytest.raises(DriverError, match="cannot have more"):
        snapshot.take(session, "dev", "one-more")
    assert len(shelf(session).read()["tags"]) == snapshot.MOST


def test_the_record_says_what_a_restored_machine_has(session: Session, tmp_path: Path) -> None:
    change.change(session, "dev", {SIZE: 4})
    said = io.StringIO()
    snapshot.restore(session_of(tmp_path, said), "dev", "one")
    assert (shelf(session).read()["size"], size_on_record(session)) == (1, 1)
    assert session.store.load("dev").pending_changes == []
    assert "shelf-size of dev: 4 -> 1, as it was at one" in said.getvalue()


def test_a_change_that_the_machine_did_not_have_yet_is_lost_with_what_it_was(session: Session) -> None:
    shelf(session).write(state="Running")
    change.change(session, "dev", {SIZE: 4})
    assert session.store.load("dev").pending_changes == [SIZE]
    snapshot.restore(session, "dev", "one")
    assert (shelf(session).read()["size"], size_on_record(session)) == (1, 1)
    assert session.store.load("dev").pending_changes == []
    assert shelf(session).read()["power"] == ["kill"]


def test_a_restore_that_was_cut_short_leaves_what_the_next_start_sets_right(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VirtualBox has the old size then, and the record the new one."""
    change.change(session, "dev", {SIZE: 4})

    class CutShort(BaseException):
        pass

    def restore(self: ShelfSnapshots, wanted: Snapshot) -> None:
        self.driver.shelf.write(size=1)
        raise CutShort

    with monkeypatch.context() as patched:
        patched.setattr(ShelfSnapshots, "restore", restore)
        with pytest.raises(CutShort):
            snapshot.restore(session, "dev", "one")
    record = session.store.load("dev")
    assert record.pending_changes == [SIZE]
    pending_changes.apply(session, record, open_driver(session, record))
    assert (shelf(session).read()["size"], size_on_record(session)) == (4, 4)


def test_what_is_no_snapshot_of_the_machine_switches_nothing_off(session: Session) -> None:
    shelf(session).write(state="Running")
    with pytest.raises(UsageError, match="has no snapshot two") as caught:
        snapshot.restore(session, "dev", "two")
    assert "it has: one" in caught.value.details
    assert shelf(session).read()["power"] == []


def test_the_list_is_read_once_for_a_restore(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ShelfSnapshots] = []
    all_of = ShelfSnapshots.all

    def counted(self: ShelfSnapshots) -> Sequence[Snapshot]:
        read.append(self)
        return all_of(self)

    monkeypatch.setattr(ShelfSnapshots, "all", counted)
    snapshot.restore(session, "dev", "one")
    assert len(read) == 1


def test_memory_is_kept_of_a_machine_that_runs_unless_it_is_for_clones(session: Session, tmp_path: Path) -> None:
    said = io.StringIO()
    shelf(session).write(state="Running")
    snapshot.take(session_of(tmp_path, said), "dev", "two")
    snapshot.take(session_of(tmp_path, said), "dev", "clone-1", for_clones=True)
    assert "dev has the snapshot two with its memory\n" in said.getvalue()
    assert "dev has the snapshot clone-1\n" in said.getvalue()
    assert session.store.load("dev").clone_snapshots == ["clone-1"]
    snapshot.remove(session, "dev", "clone-1")
    assert session.store.load("dev").clone_snapshots == []


def test_the_driver_of_these_tests_is_one(session: Session) -> None:
    assert isinstance(open_driver(session, session.store.load("dev")), ShelfDriver)
