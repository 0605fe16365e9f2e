"""Runs stages, all of them whatever fails, and collects how they went; those of one group run side by side."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.runner import outcomes
from tests.runner.outcomes import Outcome
from tests.runner.stages import Stage

MOST_AGAIN = 20  # failed tests of a stage that are run again; of more, something that they share is broken
UNSTEADY = "it passed when run again: unsteady"
BROKEN = "it failed again when run alone"
NOT_AGAIN = f"not run again, for more than {MOST_AGAIN} failed"
LINGER = 5.0  # seconds that a stage's last lines may take; a process that it left behind would keep its output open
PRINTING = threading.Lock()


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
        """Whether this stage fails the run: a test that failed only once does as well, and tests that left no word."""
        return self.status != 0 or bool(self.failures) or (self.stage.tests and not self.tests)

    @property
    def only_skipped(self) -> bool:
        """Whether every test was skipped, as on a computer where nobody is root; in CI that is a failure."""
        return bool(self.tests) and all(test.result == "skipped" for test in self.tests.values())


def run(groups: Iterable[Sequence[Stage]], to_the_end: bool = True) -> list[Result]:
    """One group after the other, in the directory where we are. What failed is run again when its group has ended.

    Without `to_the_end` the first group in which something failed is the last.
    """
    results = []
    for group in groups:
        with ThreadPoolExecutor(len(group)) as side_by_side:
            ended = list(side_by_side.map(_stage, group, [len(group) > 1] * len(group)))
        for result in ended:
            began = time.monotonic()
            result.failures = _again(sorted(name for name, test in result.tests.items() if test.result == "failed"))
            result.seconds += time.monotonic() - began
        results += ended
        if not to_the_end and any(result.failed for result in ended):
            break
    return results


def _stage(stage: Stage, prefixed: bool) -> Result:
    _say(f"== {stage.name}: {shlex.join(stage.command)}\n")
    result, began = Result(stage), time.monotonic()
    prefix = f"{stage.name} | " if prefixed else ""
    if stage.tests:
        result.status, result.tests = _pytest(prefix, *stage.command, "--durations=10")
    else:
        result.status = _run(prefix, stage.command, os.environ)
    result.seconds = time.monotonic() - began
    _say(f"== {stage.name} took {result.seconds:.0f} s\n")
    return result


def _again(failed: list[str]) -> dict[str, str]:
    """Run what failed once more, alone: only to tell what is unsteady from what is broken, for both fail the run."""
    if len(failed) > MOST_AGAIN:
        return dict.fromkeys(failed, NOT_AGAIN)
    if not failed:
        return {}
    _say(f"== once more, alone, to tell unsteady tests from broken ones: {shlex.join(failed)}\n")
    _, second = _pytest("", *failed)
    passed = {name for name, test in second.items() if test.result == "passed"}
    return {name: UNSTEADY if name in passed else BROKEN for name in failed}


def _pytest(prefix: str, *arguments: str) -> tuple[int, dict[str, Outcome]]:
    """The exit status of a pytest, and what it wrote of its tests."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "outcomes.json"
        argv = [sys.executable, "-m", "pytest"]
        argv += ["-q", "-p", outcomes.__name__, "-p", "no:cacheprovider", *arguments]
        status = _run(prefix, argv, {**os.environ, outcomes.VARIABLE: str(file)})
        return status, outcomes.read(file)


def _run(prefix: str, argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit status of a program whose lines are printed as they come, each behind the prefix when there is one."""
    if not prefix:
        return subprocess.run(argv, env=environ, check=False).returncode
    process = subprocess.Popen(  # not to be closed while it is read
        argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    reader = threading.Thread(target=_copy, args=(prefix, process.stdout), daemon=True)
    reader.start()
    status = process.wait()
    reader.join(LINGER)
    if reader.is_alive():
        _say(f"{prefix}a process that was started here still runs\n")
    return status


def _copy(prefix: str, lines: Iterable[str]) -> None:
    for line in lines:
        _say(prefix + line)


def _say(text: str) -> None:
    """Print without mixing the lines of two stages."""
    with PRINTING:
        print(text, end="", flush=True)
