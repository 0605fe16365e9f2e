"""`machine snapshot`: its words, and machines that have no snapshots."""

from __future__ import annotations

import pytest

from machine.cli.snapshot import parse
from machine.errors import UsageError
from machine.lifecycle.snapshot import check_tag
from machine.store import Record
from tests.cli.typed import StoreWithEngines


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
