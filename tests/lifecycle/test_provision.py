"""What provision and regenerate-certs leave in a machine's record."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from machine.console import Console
from machine.lifecycle import provision
from machine.model import Endpoint
from machine.session import Session
from machine.store import Record, Store


@pytest.mark.parametrize("command", [provision.provision, provision.regenerate])
@pytest.mark.parametrize("phase", ["reachable", "ready"])
def test_a_machine_that_was_provisioned_is_ready_and_its_record_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Session, str], None], phase: str
) -> None:
    """An incomplete one, too; and one whose store has moved has the paths of its new place on disk."""
    store = Store(str(tmp_path / "old"))
    record = Record.new(store.root, "m1", "none", {"URL": "tcp://192.0.2.1:2376"})
    record.phase = phase
    store.add("m1")
    store.save(record)
    moved = (tmp_path / "old").rename(tmp_path / "new")
    session = Session(Store(str(moved)), Console(io.StringIO()), environ={"HOME": str(tmp_path)})
    monkeypatch.setattr(provision, "log_in", lambda *_: (Endpoint("192.0.2.1"), nullcontext()))
    monkeypatch.setattr(provision, "apply_plan", lambda *_, **__: SimpleNamespace(changed=False))
    monkeypatch.setattr("machine.lifecycle.waiting.wait_for_engine", lambda *_: None)
    command(session, "m1")
    assert session.store.load("m1").phase == "ready"
    assert str(tmp_path / "old") not in (moved / "machines/m1/config.json").read_text()
