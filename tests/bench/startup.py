"""The commands that answer from a record, against an interpreter that does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from tests.bench.figures import Row, interleaved
from tests.bench.stores import Fleet
from tests.bench.subject import PEER, Subject

FACTOR = 4  # these take so little that more runs are needed, and cost nothing
AIMS = {"version": "2.5x", "ip": "2.5x", "url": "2.5x", "ls -q": "2.5x", "env": "50 ms", "config": "50 ms"}
LINES = ("version", "ip dev", "url dev", "ls -q", "inspect dev", "env dev", "config dev", "status dev")


def rows(subject: Subject, lines: Sequence[str] = LINES, net: str = "127.91") -> Iterator[Row]:
    """A row for each command, and one more for each with the peer. `net` is where the engine of `dev` listens."""
    fleet = Fleet(subject.place / "startup", net)
    fleet.store(subject.place / "startup-store", fleet.answering(1), first="dev")
    with fleet.engines(answering=1, silent=0):
        calls: dict[str, Callable[[], float]] = {"bare": subject.bare}
        for line in lines:
            calls[line] = partial(subject.ours, *line.split(), store="startup-store")
            if subject.peer:
                calls[f"{PEER} {line}"] = partial(subject.theirs, *line.split(), store="startup-store")
        for call in calls.values():
            interleaved(1, {"": call})  # files into the cache
        found = interleaved(subject.runs * FACTOR, calls)
    for line in lines:
        command = line.removesuffix(" dev")
        yield Row(command, found[line], "python -c pass", found["bare"], AIMS.get(command, ""))
        if subject.peer:
            yield Row(command, found[line], PEER, found[f"{PEER} {line}"])
