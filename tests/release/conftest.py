"""The artefacts of a release, built once for a run of tests, whatever the number of its stages and workers."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.checkout import checkout, git
from tests.runner.shared import shared_directory

VERSION = "9.8.7"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The directory with all that `make release` makes of this tree with a tag v9.8.7."""
    place = shared_directory(tmp_path_factory, worker_id) / "release"
    place.mkdir(exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            source = place / "checkout"
            if not source.exists():
                checkout(source)
                git(source, "tag", f"v{VERSION}")
            run = [sys.executable, "-m", "release.build", "--out", str(place / "dist")]
            done = subprocess.run(run, cwd=source, capture_output=True, text=True, timeout=900)
            assert done.returncode == 0, done.stderr
            (place / "complete").touch()
    return place / "dist"
