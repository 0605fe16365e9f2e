"""One timer for all that a connection may take too long for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from machine.swarm.http.deadline import Deadline


def in_time(run: Callable[[Deadline, list[str], Ticks], None]) -> list[str]:
    """What a deadline did in `run`, on a loop whose clock is set by hand."""
    expired: list[str] = []
    clock = Ticks()

    async def main() -> None:
        clock.loop = asyncio.get_running_loop()
        clock.loop.time = lambda: clock.now  # type: ignore[method-assign]  # the clock is set by hand
        run(Deadline(lambda: expired.append("expired")), expired, clock)
        clock.loop.time = type(clock.loop).time.__get__(clock.loop)  # type: ignore[method-assign]  # the clock is set by hand

    asyncio.run(main())
    return expired


class Ticks:
    """A clock, and what is to happen by it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.loop: asyncio.AbstractEventLoop

    def pass_to(self, now: float) -> None:
        """Run the timers that are due until then, in their order."""
        timers = self.loop._scheduled  # type: ignore[attr-defined]  # asyncio tells its timers in no other way
        while due := [timer for timer in timers if not timer.cancelled() and timer.when() <= now]:
            timer = min(due, key=lambda each: each.when())
            self.now = max(self.now, timer.when())
            timer._run()
            timer.cancel()
        self.now = now

    def timers(self) -> int:
        """How many are running."""
        return sum(not timer.cancelled() for timer in self.loop._scheduled)  # type: ignore[attr-defined]  # as above


def test_a_block_that_takes_too_long_expires_once() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        with deadline.within(30):
            clock.pass_to(129.9)
            assert expired == []
            clock.pass_to(500)

    assert in_time(run) == ["expired"]


def test_a_block_without_limit_never_expires() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        with deadline.within(None):
            assert clock.timers() == 0
            clock.pass_to(10_000)

    assert in_time(run) == []


def test_a_block_that_is_left_in_time_does_not_count_for_the_next_one() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        with deadline.within(30):
            clock.pass_to(120)
        with deadline.within(30):
            clock.pass_to(149)
            assert expired == []
            clock.pass_to(150)

    assert in_time(run) == ["expired"]


def test_a_short_block_after_a_long_one_and_in_one_expires_by_its_own_limit() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        with deadline.within(600):
            pass
        with deadline.within(600), deadline.within(2):
            clock.pass_to(101)
            assert expired == []
            clock.pass_to(102)
            assert expired == ["expired"]

    in_time(run)


def test_the_outer_of_two_blocks_still_counts_when_the_inner_one_is_left() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        with deadline.within(10):
            with deadline.within(600):
                clock.pass_to(105)
            clock.pass_to(110)

    assert in_time(run) == ["expired"]


def test_many_short_calls_keep_one_timer_and_stopping_leaves_none() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        for call in range(1000):
            with deadline.within(30):
                clock.pass_to(100 + call)
            assert clock.timers() <= 1
        deadline.stop()
        assert clock.timers() == 0
        with deadline.within(30):
            assert clock.timers() == 1
            clock.pass_to(5_000)

    assert in_time(run) == ["expired"]


def test_a_later_block_expires_too_when_it_is_not_left_after_the_first_did() -> None:
    def run(deadline: Deadline, expired: list[str], clock: Ticks) -> None:
        with deadline.within(5):
            clock.pass_to(101)
            with deadline.within(5):
                clock.pass_to(105)
                assert expired == ["expired"]
                clock.pass_to(300)

    assert in_time(run) == ["expired", "expired"]
