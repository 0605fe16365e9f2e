"""Clones: what their engines have of their source, and how long the snapshot is kept that was made for them."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from machine.errors import DriverError
from machine.lifecycle import clone, remove
from machine.model import EngineOptions
from machine.session import Session, readable_records
from machine.store import Store
from tests.lifecycle.shelf import Shelf, ShelfSnapshots, add, session

__all__ = ["session"]

SOURCE = EngineOptions(flags=("data-root=/srv/docker",), labels=("tier=test",), registry_mirrors=("https://a",))


def test_a_clone_keeps_what_its_source_has_for_what_is_not_asked_of_it() -> None:
    """Else a mirror that is in the environment of every create would take the data-root away, and all volumes."""
    wanted = clone.engine_options(SOURCE, EngineOptions(registry_mirrors=("https://b",)))
    assert (wanted.flags, wanted.labels, wanted.registry_mirrors) == (SOURCE.flags, SOURCE.labels, ("https://b",))
    assert clone.engine_options(SOURCE, EngineOptions()) == SOURCE


def made_of(tag: str, **more: Any) -> dict[str, Any]:
    """What the record of a clone of dev has."""
    return {"CloneOf": {"Machine": "dev", "Snapshot": tag, **more}}


def leftovers(session: Session) -> tuple[list[str], list[str], list[str]]:
    """The platform's snapshots, those that the record lists as made for clones, and what is left of their locks."""
    tags = Shelf(session.store.root).read()["tags"]
    locks = sorted(path.name for path in Path(session.store.root, "locks").glob("clones-*"))
    return sorted(tags), session.store.load("dev").clone_snapshots, locks


NOTHING: tuple[list[str], list[str], list[str]] = (["one"], [], [])


def test_a_snapshot_is_kept_for_a_clone_that_is_incomplete_and_for_no_other(session: Session) -> None:
    """Also of VirtualBox's, whose records say more of the source."""
    add(session, "complete", "ready", **made_of("clone-1"))
    add(session, "other", "created", **made_of("clone-2"))
    assert clone.incomplete_clone(session, "dev", "clone-1") == ""
    add(session, "begun", "recorded", **made_of("clone-1", UUID=str(uuid.uuid4())))
    assert clone.incomplete_clone(session, "dev", "clone-1") == "begun"
    assert clone.incomplete_clone(session, "other", "clone-1") == ""


def test_a_snapshot_for_clones_is_there_for_them_alone(session: Session) -> None:
    with clone.snapshot_for_clones(session, "dev") as tag:
        assert leftovers(session) == (sorted(["one", tag]), [tag], [f"{clone.lock_name('dev', tag)}.lock"])
        add(session, "copy", "ready", **made_of(tag))
        clone.remove_unneeded(session, "dev")  # another command
        assert leftovers(session)[0] == sorted(["one", tag])
    assert leftovers(session) == NOTHING


def test_it_stays_for_one_that_is_incomplete_until_that_is_complete_or_removed(session: Session) -> None:
    for end in ("complete", "removed"):
        with clone.snapshot_for_clones(session, "dev") as tag:
            record = add(session, "copy", "created", **made_of(tag))
        assert leftovers(session) == (sorted(["one", tag]), [tag], [])
        if end == "complete":
            record.phase = "ready"
            session.store.save(record)
            clone.remove_unneeded_of(session, clone.source_of(record))
        remove.remove(session, "copy")
        assert leftovers(session) == NOTHING, end


def test_a_snapshot_that_could_not_be_made_is_listed_no_more(session: Session) -> None:
    Shelf(session.store.root).write(state="Saved")
    with pytest.raises(DriverError, match="has to be running or stopped"), clone.snapshot_for_clones(session, "dev"):
        raise AssertionError("there is none")
    assert leftovers(session) == NOTHING


def test_what_cannot_be_removed_now_is_removed_later(session: Session) -> None:
    with clone.snapshot_for_clones(session, "dev") as tag:
        Shelf(session.store.root).write(state="Saved")
    assert leftovers(session) == (sorted(["one", tag]), [tag], [])
    Shelf(session.store.root).write(state="Running")
    with clone.snapshot_for_clones(session, "dev"):
        pass
    assert leftovers(session) == NOTHING


def test_only_what_the_record_lists_is_removed(session: Session, tmp_path: Path) -> None:
    """A user may choose a tag like ours; and a record that somebody has edited names no file."""
    Shelf(session.store.root).write(tags={"one": 1, "clone-abcdef": 1})
    record = session.store.load("dev")
    record.clone_snapshots = ["../../../x", "a/b", ""]
    session.store.save(record)
    (tmp_path.parent / "x.lock").write_text("")
    clone.remove_unneeded(session, "dev")
    assert leftovers(session) == (["clone-abcdef", "one"], [], [])
    assert (tmp_path.parent / "x.lock").exists()


def clone_killed_at(session: Session, moment: int) -> bool:
    """Whether a command that makes a clone was killed, before or after its act with that number."""
    acts = itertools.count()

    def passed() -> None:
        if next(acts) == moment:
            os._exit(9)  # as a kill -9: no handler runs

    def killable(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            passed()
            result = method(*given, **named)
            passed()
            return result

        return call

    child = os.fork()
    if not child:
        for of, name in ((Store, "save"), (Store, "drop_lock"), (ShelfSnapshots, "take"), (ShelfSnapshots, "remove")):
            setattr(of, name, killable(getattr(of, name)))
        try:
            with clone.snapshot_for_clones(session, "dev") as tag:
                record = add(session, "copy", "recorded", **made_of(tag))
                record.phase = "ready"
                session.store.save(record)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("then", ["again", "rm"])
def test_killed_at_every_moment(session: Session, then: str) -> None:
    """No snapshot is left once the command was repeated, or its clone removed."""
    moment, killed = -1, True
    while killed:
        moment += 1
        killed = clone_killed_at(session, moment)
        needed = any(one.name == "copy" and not one.reached("ready") for one in readable_records(session.store))
        clone.remove_unneeded(session, "dev")
        assert (len(leftovers(session)[0]) == 2) is needed, moment
        if session.store.exists("copy"):
            remove.remove(session, "copy")
        if then == "again":
            with clone.snapshot_for_clones(session, "dev"):
                pass
        assert leftovers(session)[:2] == NOTHING[:2], moment
    assert moment > 15
