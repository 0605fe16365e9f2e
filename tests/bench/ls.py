"""`ls` of 1, 20 and 100 engines behind TLS, all answering, or half of them refusing or silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tests.bench.figures import Row, interleaved
from tests.bench.stores import Fleet
from tests.bench.subject import PEER, Subject

COUNTS = (1, 20, 100)


def rows(subject: Subject) -> Iterator[Row]:
    """A row for each number and kind; the peer's beside it."""
    fleet = Fleet(subject.place / "ls")
    kinds = [(f"ls, {count} up", fleet.answering(count), "0.4 s" if count == 100 else "") for count in COUNTS]
    for count in COUNTS[1:]:
        half = count // 2
        for word, others in (("refused", fleet.refusing(half)), ("blackholed", fleet.silent(half))):
            kinds.append((f"ls, {half} up and {half} {word}", fleet.answering(half) + others, "3 s"))
    with fleet.engines():
        for number, (what, addresses, aim) in enumerate(kinds):
            store = f"ls-store-{number}"
            fleet.store(subject.place / store, addresses)
            calls = {"ours": partial(subject.ours, "ls", store=store)}
            if subject.peer:
                calls[PEER] = partial(subject.theirs, "ls", store=store)
            found = interleaved(subject.runs, calls)
            row = Row(what, found["ours"], aim=aim)
            yield replace(row, against=PEER, theirs=found[PEER]) if subject.peer else row
