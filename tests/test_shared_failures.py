"""A broken fixture of a module fails the run once, whatever the number of tests that wanted it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.program import ROOT

MODULE = """
import pytest

@pytest.fixture(scope="module")
def machine():
    raise AssertionError("the machine was not made")

def test_one(machine): pass
def test_two(machine): pass
def test_three(machine): pass
def test_other(): raise AssertionError("a fault of its own")
"""


def test_one_error_names_the_fixture_and_the_others_point_to_it(tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text(MODULE)
    (tmp_path / "conftest.py").write_text("from tests.shared_failures import pytest_runtest_makereport\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "1 failed, 2 skipped, 1 error" in done.stdout
    assert done.stdout.count("the machine was not made") < 4, "once in the traceback, once in the summary"
    assert done.stdout.count("a fixture that it needs failed: see test_module.py::test_one") == 2
