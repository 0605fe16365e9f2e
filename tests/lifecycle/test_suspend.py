"""Suspending a machine whose platform refuses that."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from machine.console import Console
from machine.drivers import registry
from machine.errors import DriverError
from machine.lifecycle import share
from machine.lifecycle.suspend import suspend
from machine.model import State
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.cloud import MadeDriver


class FullDriver(MadeDriver):
    """A machine that runs, beside a disk without room for its memory."""

    def state(self) -> State:
        return State.RUNNING

    def suspend(self) -> None:
        raise DriverError("no room")


def test_a_machine_that_runs_on_has_its_shares_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TABLE, "full", f"{__name__}:FullDriver")
    done: list[str] = []
    monkeypatch.setattr(share, "pause", lambda session, name: done.append("pause"))
    monkeypatch.setattr(share, "resume", lambda session, record: done.append("resume"))
    session = Session(Store(str(tmp_path)), Console(io.StringIO()), environ={})
    session.store.add("dev")
    record = Record.new(session.store.root, "dev", "full", {})
    record.phase = "ready"
    session.store.save(record)
    with pytest.raises(DriverError, match="no room"):
        suspend(session, "dev")
    assert done == ["pause", "resume"]
