"""A fixture that several tests share and that fails is reported once: as the error of the first test that asked for it.

pytest keeps the exception of a fixture of a wider scope and raises it again for every further test. Those tests did not
run; they are reported as skipped, with the name of the test whose error tells the cause, which fails the run.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

FIRST = pytest.StashKey[dict[int, tuple[BaseException, str]]]()  # by id, which is unique while the exception is kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a set-up that failed for a reason already reported into a skip that names the first."""
    report = yield
    if call.when != "setup" or call.excinfo is None or report.outcome != "failed":
        return report
    seen = item.config.stash.setdefault(FIRST, {})
    error = call.excinfo.value
    first = seen.setdefault(id(error), (error, item.nodeid))[1]
    if first != item.nodeid:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"a fixture that it needs failed: see {first}")
    return report
