"""A plugin of pytest that writes down how each test ended and how long it took, in set-up, call and teardown together.

`pytest -p tests.runner.outcomes` writes the file that MACHINE_TEST_OUTCOMES names; `read` gives it back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

VARIABLE = "MACHINE_TEST_OUTCOMES"
RECORDER = "machine-outcomes"


@dataclass
class Outcome:
    """How one test, or the collection of one file, ended."""

    result: str = "passed"  # or "skipped", "failed"
    seconds: float = 0.0


def file_of(test: str) -> str:
    """The file of a test, by the test's name."""
    return test.partition("::")[0]


def read(file: Path) -> dict[str, Outcome]:
    """What one run of pytest wrote, by the names of the tests; nothing when it was ended before it could write."""
    if not file.exists():
        return {}
    return {name: Outcome(**outcome) for name, outcome in json.loads(file.read_text()).items()}


class Recorder:
    """Collects the reports of one run; under pytest-xdist they all come to the process that was started."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.tests: dict[str, Outcome] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that could not be collected as a test that failed."""
        if report.failed:
            self.tests[report.nodeid] = Outcome("failed")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of a test: what failed once stays failed, what was skipped in one phase was skipped."""
        outcome = self.tests.setdefault(report.nodeid, Outcome())
        outcome.seconds += report.duration
        if report.failed or (report.skipped and outcome.result == "passed"):
            outcome.result = report.outcome

    def pytest_sessionfinish(self) -> None:
        """Write the file at the end of the run."""
        written: Mapping[str, object] = {name: asdict(outcome) for name, outcome in self.tests.items()}
        self.file.write_text(json.dumps(written))


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that was started, not in the workers of pytest-xdist nor in a pytest that a test starts."""
    file = os.environ.pop(VARIABLE, None)
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(file)), RECORDER)
