"""`machine snapshot`: its words, and machines that have no snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.cli.snapshot import parse
from machine.drivers import registry
from machine.errors import UsageError
from machine.lifecycle.snapshot import check_tag
from machine.store import Record
from tests.cli.lines import CommandLine, change, none
from tests.cli.typed import StoreWithEngines
from tests.lifecycle import shelf
from tests.lifecycle.shelf import Shelf


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("dev one", ("create", ["dev", "one"])),
        ("create dev one", ("create", ["dev", "one"])),
        ("ls dev", ("ls", ["dev"])),
        ("dev ls", ("ls", ["dev"])),
        ("restore dev one", ("restore", ["dev", "one"])),
        ("dev rm one two", ("rm", ["dev", "one", "two"])),
    ],
)
def test_the_verb_stands_before_the_machine_or_behind_it(words: str, meant: tuple[str, list[str]]) -> None:
    assert parse(words.split()) == meant


@pytest.mark.parametrize("words", ["", "dev", "ls", "ls dev one", "restore dev", "dev one two", "rm dev"])
def test_too_few_words_or_too_many(words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words.split())
    assert caught.value.resolution.startswith("machine snapshot ")


@pytest.mark.parametrize("tag", ["", "-x", "a b", "a" * 64, "../x", "a\n", "x;y"])
def test_what_cannot_be_a_tag(tag: str) -> None:
    with pytest.raises(UsageError):
        check_tag(tag)


def test_nothing_is_saved_for_clones_that_are_there_already(cli: StoreWithEngines) -> None:
    """A machine that is gone from this computer: to make a snapshot of it would fail otherwise."""
    for name in ("dev", "copy"):
        cli.store.add(name)
        record = Record.new(cli.store.root, name, "qemu", {})
        record.phase = "ready"
        cli.store.save(record)
    done = cli.type("create", "--from", "dev", "copy")
    assert "already exists" in done.err
    assert "Making a snapshot" not in done.err


@pytest.fixture
def snapshots(store: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A platform whose machine `m` has the snapshot `one`."""
    monkeypatch.setitem(registry.TABLE, "shelf", f"{shelf.__name__}:ShelfDriver")
    none()
    change(store, "shelf")
    made = Shelf(str(store))
    made.write(tags={"one": 1})
    return made


@pytest.mark.parametrize(("answer", "status"), [("", 1), ("n\n", 0), ("whatever\n", 0), ("\n", 0)])
def test_restore_asks_first_and_fails_when_nobody_answers(snapshots: Shelf, answer: str, status: int) -> None:
    asked = CommandLine(["snapshot", "restore", "m", "one"], answer)
    assert asked.status == status
    assert "Bring m back to one, made 2026-11-30T02:11:37+00:00? What it is now is lost. (y/n)" in asked.err
    assert ("machine snapshot restore -y m one" in asked.err) == (not answer)
    assert "nothing was restored" in asked.err
    assert snapshots.read()["restored"] == []


@pytest.mark.parametrize(("flags", "answer"), [([], "y\n"), (["-y"], "")])
def test_restore_when_it_is_answered_or_not_asked(snapshots: Shelf, flags: list[str], answer: str) -> None:
    done = CommandLine(["snapshot", "m", "restore", *flags, "one"], answer)
    assert (done.status, "(y/n)" in done.err) == (0, not flags), done.err
    assert snapshots.read()["restored"] == ["one"]


def test_nothing_is_asked_of_a_snapshot_that_is_not_there(snapshots: Shelf) -> None:
    asked = CommandLine(["snapshot", "restore", "m", "two"], "y\n")
    assert (asked.status, "(y/n)" in asked.err) == (2, False)
    assert "m has no snapshot two" in asked.err


@pytest.mark.parametrize("line", ["-y m two", "rm -y m one", "ls -y m"])
def test_what_asks_nothing_takes_no_answer(snapshots: Shelf, line: str) -> None:
    typed = CommandLine(["snapshot", *line.split()])
    assert (typed.status, "-y is for restore" in typed.err) == (2, True)
    assert snapshots.read()["tags"] == {"one": 1}
