"""How long `until` waits between two calls, and when it gives up."""

from __future__ import annotations

import pytest

from machine.errors import WaitTimeout
from machine.wait import NotYet, until


class Clock:
    """Time passes by sleeping alone; the pauses are kept."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def now(self) -> float:
        return sum(self.pauses)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


def never() -> None:
    raise NotYet("it is not there")


@pytest.mark.parametrize(("longest", "most"), [(None, 0.4), (4.0, 4.0)])
def test_pauses_grow_up_to_the_longest(longest: float | None, most: float) -> None:
    clock = Clock()
    with pytest.raises(WaitTimeout) as caught:
        until(never, what="it", seconds=60, clock=clock, every=0.1, longest=longest)
    assert caught.value.details == "it is not there"
    assert clock.pauses[0] == 0.1
    assert max(clock.pauses) == pytest.approx(most)
    assert clock.pauses[:-1] == sorted(clock.pauses[:-1])
    assert clock.now() == pytest.approx(60)


def test_what_is_there_is_not_waited_for() -> None:
    clock = Clock()
    assert until(lambda: "it", what="it", seconds=60, clock=clock) == "it"
    assert clock.pauses == []
