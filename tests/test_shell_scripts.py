"""Every shell script of the program is sound and is installed with it.

Those in machine/provision/scripts are parts of scripts: tests/provision/test_script_files.py checks them.
"""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALL = set((ROOT / "machine").rglob("*.sh"))
WHOLE = sorted(path for path in ALL if path.parent != ROOT / "machine/provision/scripts")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    assert {path.name for path in WHOLE} >= {"mount.sh", "unmount.sh", "clone_identity.sh"}
    done = subprocess.run(
        ["shellcheck", "-s", "sh", *map(str, WHOLE)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == ""


def test_each_is_installed_with_the_package() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["machine"]
    assert {path for pattern in patterns for path in (ROOT / "machine").glob(pattern) if path.suffix == ".sh"} == ALL
