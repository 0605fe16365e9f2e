"""Ending forwards that another command starts again at the same moment."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from machine import background_control
from machine.lifecycle.forward import control, state_file
from machine.store import Store


def test_what_the_next_process_has_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes once what is open; without that its command would wait for it in vain, and --list show nothing."""
    store = Store(str(tmp_path))
    store.add("dev")
    lock, written = Path(state_file.lock_path(store, "dev")), Path(state_file.path_of(store, "dev"))
    lock.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(background_control, "end", lambda *_: True)
    with lock.open("w") as next_one:
        fcntl.flock(next_one, fcntl.LOCK_EX)
        written.write_text("{}")
        assert control.stop(store, "dev")
        assert written.exists()
        assert lock.exists()
    assert control.stop(store, "dev")
    assert not written.exists()
    assert not lock.exists()
