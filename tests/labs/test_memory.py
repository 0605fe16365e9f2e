"""Directories of hosts and engines in memory: where there is enough of it, and gone with their hosts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.labs import memory


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
def test_only_where_there_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: memory.FREE - 1)
    assert not memory.keep_in_memory(tmp_path)
    assert not os.path.ismount(tmp_path)
    monkeypatch.setattr(memory, "available", lambda: memory.FREE)
    if not memory.keep_in_memory(tmp_path):
        pytest.skip("this system does not let us mount a tmpfs")
    try:
        assert os.path.ismount(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_what_is_available_is_asked_of_the_kernel() -> None:
    assert memory.available() > 0 or not Path("/proc/meminfo").exists()
