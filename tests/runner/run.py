"""Runs stages one after the other, all of them whatever fails, and collects how they went."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.runner import outcomes
from tests.runner.outcomes import Outcome
from tests.runner.stages import Stage

MOST_AGAIN = 20  # failed tests of a stage that are run again; of more, something that they share is broken
UNSTEADY = "it passed when run again: unsteady"
BROKEN = "it failed again when run alone"
NOT_AGAIN = f"not run again, for more than {MOST_AGAIN} failed"


@dataclass
class Result:
    """How one stage went. `failures` says of each test that failed what came of running it again."""

    stage: Stage
    status: int = 0
    seconds: float = 0.0
    tests: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether this stage fails the run, which a test that failed only once does as well."""
        return self.status != 0 or bool(self.failures)


def run(stages: Iterable[Stage]) -> list[Result]:
    """All stages, in the directory where we are."""
    return [_stage(stage) for stage in stages]


def _stage(stage: Stage) -> Result:
    print(f"== {stage.name}: {shlex.join(stage.command)}", flush=True)
    result, began = Result(stage), time.monotonic()
    if stage.tests:
        result.status, result.tests = _pytest(*stage.command, "--durations=10")
        result.failures = _again(sorted(name for name, test in result.tests.items() if test.result == "failed"))
    else:
        result.status = subprocess.run(stage.command, check=False).returncode
    result.seconds = time.monotonic() - began
    print(f"== {stage.name} took {result.seconds:.0f} s", flush=True)
    return result


def _again(failed: list[str]) -> dict[str, str]:
    """Run what failed once more, alone: only to tell what is unsteady from what is broken, for both fail the run."""
    if len(failed) > MOST_AGAIN:
        return dict.fromkeys(failed, NOT_AGAIN)
    if not failed:
        return {}
    print(f"== once more, alone, to tell unsteady tests from broken ones: {shlex.join(failed)}", flush=True)
    _, second = _pytest(*failed)
    passed = {name for name, test in second.items() if test.result == "passed"}
    return {name: UNSTEADY if name in passed else BROKEN for name in failed}


def _pytest(*arguments: str) -> tuple[int, dict[str, Outcome]]:
    """The exit status of a pytest, and what it wrote of its tests."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "outcomes.json"
        argv = [sys.executable, "-m", "pytest", "-q", "-p", outcomes.__name__, *arguments]
        done = subprocess.run(argv, env={**os.environ, outcomes.VARIABLE: str(file)}, check=False)
        return done.returncode, outcomes.read(file)
