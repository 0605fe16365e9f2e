"""Clones: what their engines have of their source, and how long the snapshot is kept that was made for them."""

from __future__ import annotations

import io
from pathlib import Path

from machine.console import Console
from machine.lifecycle import clone
from machine.model import EngineOptions
from machine.session import Session
from machine.store import Record, Store

SOURCE = EngineOptions(flags=("data-root=/srv/docker",), labels=("tier=test",), registry_mirrors=("https://a",))


def test_a_clone_keeps_what_its_source_has_for_what_is_not_asked_of_it() -> None:
    """Else a mirror that is in the environment of every create would take the data-root away, and all volumes."""
    wanted = clone.engine_options(SOURCE, EngineOptions(registry_mirrors=("https://b",)))
    assert (wanted.flags, wanted.labels, wanted.registry_mirrors) == (SOURCE.flags, SOURCE.labels, ("https://b",))
    assert clone.engine_options(SOURCE, EngineOptions()) == SOURCE


def test_the_snapshot_is_kept_for_a_clone_that_is_not_whole_yet_and_for_no_other(tmp_path: Path) -> None:
    session = Session(Store(str(tmp_path)), Console(io.StringIO()), environ={})

    def made(name: str, phase: str, tag: str) -> None:
        session.store.add(name)
        of = {"Machine": "dev", "Snapshot": tag}
        record = Record.new(session.store.root, name, "qemu", {"CloneOf": of})
        record.phase = phase
        session.store.save(record)

    made("whole", "ready", "clone-1")
    made("other", "created", "clone-2")
    assert not clone.is_needed(session, ["whole", "other", "never-made"], "dev", "clone-1")
    made("begun", "recorded", "clone-1")
    assert clone.is_needed(session, ["whole", "begun"], "dev", "clone-1")
