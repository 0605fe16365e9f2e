"""What the stages of one run share: a directory for what takes long to make and no test changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = "MACHINE_TEST_SHARED"  # the variable that names it; `scripts/test` makes it, and removes it at the end


def shared_directory(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the run's directory; without one, that of the workers of this stage, or of this process."""
    if given := os.environ.get(SHARED):
        return Path(given)
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent
