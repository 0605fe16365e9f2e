"""A git checkout of this very tree, changes included, in which a test may tag, commit and build."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def git(place: Path, *words: str) -> str:
    """Standard output of git in a checkout, as somebody with a name."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", place, *identity, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def checkout(place: Path) -> Path:
    """Clone this checkout to `place`, and commit there what is not committed here."""
    if not (ROOT / ".git").exists():
        pytest.skip("the tests of a release need a git checkout, and this is none")
    git(ROOT, "clone", "-q", "--shared", "--no-tags", str(ROOT), str(place))
    changed = git(ROOT, "ls-files", "-z", "--modified", "--others", "--exclude-standard").split("\0")
    for name in filter(None, changed):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
        else:
            (place / name).unlink(missing_ok=True)
    git(place, "add", "--all")
    git(place, "commit", "-q", "--allow-empty", "-m", "what is not committed yet")
    return place
