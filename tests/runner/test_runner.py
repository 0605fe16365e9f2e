"""`scripts/test`: what fails once fails the run, and the time is told by stages and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.program import ROOT
from tests.runner import report
from tests.runner.outcomes import Outcome
from tests.runner.run import Result, run
from tests.runner.stages import ALL, LABS, MACHINES, STYLE, UNITS, Stage

UNSTEADY = """
import pathlib, time
import pytest

def test_second_time_lucky():
    tried = pathlib.Path("tried")
    before = tried.exists()
    tried.touch()
    assert before

def test_fine(): time.sleep(1.2)

def test_not_here(): pytest.skip("nothing to test with")

def test_never(): raise AssertionError("always")
"""


def script(project: Path, *stages: str) -> subprocess.CompletedProcess[str]:
    """`scripts/test` of another project, with only the stages named."""
    (project / "scripts").mkdir(exist_ok=True)
    shutil.copy(ROOT / "scripts" / "test", project / "scripts")
    return subprocess.run(
        [project / "scripts" / "test", "--stages", *stages],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.mark.slow
def test_what_passes_only_when_run_again_and_what_never_passes_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_unsteady.py").write_text(UNSTEADY)
    done = script(tmp_path, "units")
    assert done.returncode == 1, done.stdout + done.stderr
    end = done.stdout.splitlines()
    assert end[-3:] == [
        "FAILED: units",
        "    FAILED test_unsteady.py::test_never: it failed again when run alone",
        "    FAILED test_unsteady.py::test_second_time_lucky: it passed when run again: unsteady",
    ], done.stdout
    row = next(line for line in end if line.startswith("units "))
    assert row.split()[2:] == ["4", "1", "2", "1"]
    (file,) = (line.split() for line in end if line.endswith("  test_unsteady.py"))
    assert int(file[0]) >= 1, "it takes more than a second"


@pytest.mark.slow
def test_a_file_that_is_no_python_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("this is no python")
    done = script(tmp_path, "units")
    assert done.returncode == 1
    assert "    FAILED test_broken.py: it failed again when run alone" in done.stdout


@pytest.mark.slow
def test_what_is_fine_ends_with_nothing_of_failures(tmp_path: Path) -> None:
    (tmp_path / "test_fine.py").write_text("def test_fine(): pass")
    done = script(tmp_path, "units")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_stage_of_which_every_test_is_skipped_is_named_and_fails_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, status: int
) -> None:
    monkeypatch.setenv("CI", ci)
    (tmp_path / "test_root.py").write_text("import pytest\ndef test_root(): pytest.skip('needs root')")
    done = script(tmp_path, "units")
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "NOT RUN, for every test was skipped (its reason is above): units"


def test_a_stage_that_there_is_not_is_named(tmp_path: Path) -> None:
    done = script(tmp_path, "unitz")
    assert done.returncode == 2
    assert done.stderr.startswith("there is no stage unitz; there are: style ")


def test_the_table_has_stages_and_the_ten_slowest_files() -> None:
    units = Result(
        UNITS, seconds=61.4, tests={f"tests/test_{n}.py::test_a[x::y]": Outcome("passed", n) for n in range(12)}
    )
    units.tests["tests/test_11.py::test_b"] = Outcome("skipped", 100)
    labs = Result(LABS, status=1, seconds=10, tests={"tests/test_11.py::test_c": Outcome("failed", 7)})
    style = Result(STYLE, status=1, seconds=2)
    lines = list(report.lines([style, units, labs], 70))
    assert lines[:5] == [
        "stage            seconds    tests   passed   failed  skipped",
        "style                  2            failed",
        "units                 61       13       12        0        1",
        "labs                  10        1        0        1        0",
        "all                   70",
    ]
    files = lines[6:16]
    assert files[0] == "      118  tests/test_11.py"
    assert files[-1] == "        2  tests/test_2.py"
    assert lines[16:] == ["FAILED: style labs"]


def test_a_run_that_was_ended_before_it_could_say_anything_is_a_failure() -> None:
    assert Result(UNITS, status=-9).failed
    assert Result(UNITS, failures={"tests/test_a.py::test_a": "unsteady"}).failed
    assert Result(UNITS).failed, "no word of any test"
    assert not Result(UNITS, tests={"tests/test_a.py::test_a": Outcome()}).failed
    assert not Result(STYLE).failed


@pytest.mark.slow
def test_a_pytest_that_a_test_ends_with_status_0_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_exit.py").write_text("import os\ndef test_exit(): os._exit(0)\ndef test_never(): assert False")
    stage = Stage("alone", (str(tmp_path), "--rootdir", str(tmp_path), "-c", os.devnull), tests=True)
    (result,) = run([[stage]])
    assert result.status == 0
    assert result.failed


def test_a_process_that_is_left_behind_does_not_keep_the_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.runner.run.LINGER", 0.5)
    stages = [Stage(name, ("sh", "-c", "sleep 6 & echo started")) for name in ("one", "two")]
    began = time.monotonic()
    assert [result.status for result in run([stages])] == [0, 0]
    assert time.monotonic() - began < 5
    assert "one | a process that was started here still runs\n" in capfd.readouterr().out


def test_stages_of_a_group_run_side_by_side_and_keep_their_lines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each waits for a file that the other writes, so one after the other would never end."""
    wait = "touch {mine}; until [ -e {other} ]; do sleep 0.01; done; echo half; echo out of {mine}; exit {status}"
    stages = [
        Stage(mine, ("sh", "-c", f"cd {tmp_path}; " + wait.format(mine=mine, other=other, status=status)))
        for mine, other, status in (("one", "two", 0), ("two", "one", 3))
    ]
    results = run([stages])
    assert [(result.stage.name, result.status) for result in results] == [("one", 0), ("two", 3)]
    assert [result.failed for result in results] == [False, True]
    said = capfd.readouterr().out.splitlines()
    for name in ("one", "two"):
        assert [line for line in said if line.startswith(f"{name} |")] == [f"{name} | half", f"{name} | out of {name}"]


def test_every_test_is_in_a_stage_of_the_whole_run() -> None:
    """By its marks: what is neither `lab` nor `vm` is a unit."""
    names = {stage.name for group in ALL for stage in group}
    assert {"units", "labs", "machines"} <= names
    marks = [stage.command[1] for stage in (UNITS, LABS, MACHINES)]
    assert marks == ["not lab and not vm", "lab", "vm"]
