"""What a run of the tests says at its end: a table of its stages, its slowest files, and what failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tests.runner.outcomes import file_of
from tests.runner.run import Result

SLOWEST = 10
COLUMNS = ("seconds", "tests", "passed", "failed", "skipped")


def lines(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """The report of a run that took so long, line by line; `FAILED:` and what follows it only when something failed.

    The stages' seconds are more in all than the run's, for some run side by side.
    """
    yield f"{'stage':<15}" + "".join(f"{column:>9}" for column in COLUMNS)
    for result in results:
        yield f"{result.stage.name:<15}{result.seconds:>9.0f}" + _counts(result)
    yield f"{'all':<15}{seconds:>9.0f}"
    slowest = sorted(seconds_of_files(results).items(), key=lambda row: -row[1])[:SLOWEST]
    if slowest:
        yield "the slowest files, in seconds of their tests, set-up and teardown included:"
        for file, taken in slowest:
            yield f"{taken:>9.0f}  {file}"
    if skipped := [result.stage.name for result in results if result.only_skipped]:
        yield f"NOT RUN, for every test was skipped (its reason is above): {' '.join(skipped)}"
    failed = [result for result in results if result.failed]
    if failed:
        yield f"FAILED: {' '.join(result.stage.name for result in failed)}"
    for result in failed:
        for name, again in result.failures.items():
            yield f"    FAILED {name}: {again}"


def seconds_of_files(results: Sequence[Result]) -> dict[str, float]:
    """The time that the tests of each file took, in all stages."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for result in results:
        for name, test in result.tests.items():
            seconds[file_of(name)] += test.seconds
    return seconds


def _counts(result: Result) -> str:
    """The number of a stage's tests, and how many ended in which way; nothing where a stage has no tests."""
    if not result.stage.tests:
        return f"{'':>9}" + f"{'failed' if result.failed else 'passed':>9}"
    ended = Counter(test.result for test in result.tests.values())
    numbers = (len(result.tests), ended["passed"], ended["failed"], ended["skipped"])
    return "".join(f"{number:>9}" for number in numbers)
