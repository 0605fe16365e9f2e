"""The lock file of a process of ours, seen by several commands at once."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from machine import forwarder_lock


def test_two_that_look_take_neither_for_the_process(tmp_path: Path) -> None:
    """A killed process left its pid, which is another program's by now: `holder` is whom `--stop` ends."""
    path = tmp_path / "lock"
    path.write_text(f"{os.getpid()}\n")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # as a command does that looks
        assert forwarder_lock.holder(str(path)) == 0
        assert forwarder_lock.missing(str(path))
    held = forwarder_lock.hold(str(path))
    assert held is not None
    assert forwarder_lock.holder(str(path)) == os.getpid()
    assert not forwarder_lock.missing(str(path))
    forwarder_lock.release(held, str(path))
    assert not path.exists()
