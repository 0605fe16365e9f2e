"""Samples, medians, and the table of them. Beside the median stands the best run: what a quiet host would give."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

HEAD = ("what", "runs", "ours", "best", "against", "figure", "ratio", "aim", "remark")


class Failed(Exception):
    """A measured command did not do what it should; the text is its last words."""


@dataclass
class Samples:
    """Seconds of every run; or why there are none."""

    seconds: list[float] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float | None:
        """None if it failed."""
        return statistics.median(self.seconds) if self.seconds and not self.failure else None


@dataclass
class Row:
    """One line of the table. `against` names what `theirs` are of; "" if there is nothing to compare with."""

    what: str
    ours: Samples
    against: str = ""
    theirs: Samples = field(default_factory=Samples)
    aim: str = ""
    remark: str = ""

    def cells(self) -> tuple[str, ...]:
        """As text, in HEAD's order."""
        ours, theirs = self.ours.median, self.theirs.median
        ratio = f"{ours / theirs:.2f}" if ours and theirs else ""
        remark = "; ".join(text for text in (self.remark, self.ours.failure, self.theirs.failure) if text)
        runs, best = str(len(self.ours.seconds)), shown(min(self.ours.seconds)) if ours else ""
        return self.what, runs, shown(ours), best, self.against, shown(theirs), ratio, self.aim, remark


def shown(seconds: float | None) -> str:
    """A duration with three digits: milliseconds below one second."""
    if seconds is None:
        return ""
    return (
        f"{seconds * 1000:.1f} ms"
        if seconds < 0.1
        else f"{seconds * 1000:.0f} ms"
        if seconds < 1
        else f"{seconds:.2f} s"
    )


def interleaved(runs: int, calls: Mapping[str, Callable[[], float]]) -> dict[str, Samples]:
    """Call all of them `runs` times, in turns and each turn from another one on, so that load hits all alike.

    Each returns its seconds; one that raises Failed is not called again.
    """
    found = {name: Samples() for name in calls}
    names = list(calls)
    for turn in range(runs):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            if found[name].failure:
                continue
            try:
                found[name].seconds.append(calls[name]())
            except Failed as error:
                found[name].failure = f"{name} failed: {error}"
    return found


def table(rows: Sequence[Row]) -> str:
    """Columns under each other; those that are empty in all rows are left out."""
    cells = [HEAD, *(row.cells() for row in rows)]
    used = [column for column in range(len(HEAD)) if any(row[column] for row in cells[1:])]
    widths = {column: max(len(row[column]) for row in cells) for column in used}
    lines = ["  ".join(row[column].ljust(widths[column]) for column in used).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
