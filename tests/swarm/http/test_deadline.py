"""One timer for all that a connection may take too long for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from machine.swarm.http.deadline import Deadline


class HandSetLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is set by hand; its timers go off in `pass_to` only."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.timers: list[tuple[asyncio.TimerHandle, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override]  # only what takes no arguments is called here
        self, when: float, callback: Callable[[], object], *, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), self, context)
        self.timers.append((handle, callback))
        return handle

    def running(self) -> int:
        """How many timers will go off."""
        return sum(not handle.cancelled() for handle, _ in self.timers)

    def pass_to(self, now: float) -> None:
        """Run the timers that are due until then, in their order."""
        while due := [timer for timer in self.timers if not timer[0].cancelled() and timer[0].when() <= now]:
            handle, callback = timer = min(due, key=lambda each: each[0].when())
            self.timers.remove(timer)
            self.now = max(self.now, handle.when())
            callback()
        self.now = now


def in_time(run: Callable[[Deadline, list[str], HandSetLoop], None]) -> list[str]:
    """What a deadline did in `run`, on a loop whose clock is set by hand."""
    expired: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HandSetLoop)
        run(Deadline(lambda: expired.append("expired")), expired, loop)

    with asyncio.Runner(loop_factory=HandSetLoop) as runner:
        runner.run(main())
    return expired


def test_a_block_that_takes_too_long_expires_once() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        with deadline.within(30):
            clock.pass_to(129.9)
            assert expired == []
            clock.pass_to(500)

    assert in_time(run) == ["expired"]


def test_a_block_without_limit_never_expires() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        with deadline.within(None):
            assert clock.running() == 0
            clock.pass_to(10_000)

    assert in_time(run) == []


def test_a_block_that_is_left_in_time_does_not_count_for_the_next_one() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        with deadline.within(30):
            clock.pass_to(120)
        with deadline.within(30):
            clock.pass_to(149)
            assert expired == []
            clock.pass_to(150)

    assert in_time(run) == ["expired"]


def test_a_short_block_after_a_long_one_and_in_one_expires_by_its_own_limit() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        with deadline.within(600):
            pass
        with deadline.within(600), deadline.within(2):
            clock.pass_to(101)
            assert expired == []
            clock.pass_to(102)
            assert expired == ["expired"]

    in_time(run)


def test_the_outer_of_two_blocks_still_counts_when_the_inner_one_is_left() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        with deadline.within(10):
            with deadline.within(600):
                clock.pass_to(105)
            clock.pass_to(110)

    assert in_time(run) == ["expired"]


def test_many_short_calls_keep_one_timer_and_stopping_leaves_none() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        for call in range(1000):
            with deadline.within(30):
                clock.pass_to(100 + call)
            assert clock.running() <= 1
        deadline.stop()
        assert clock.running() == 0
        with deadline.within(30):
            assert clock.running() == 1
            clock.pass_to(5_000)

    assert in_time(run) == ["expired"]


def test_a_later_block_expires_too_when_it_is_not_left_after_the_first_did() -> None:
    def run(deadline: Deadline, expired: list[str], clock: HandSetLoop) -> None:
        with deadline.within(5):
            clock.pass_to(101)
            with deadline.within(5):
                clock.pass_to(105)
                assert expired == ["expired"]
                clock.pass_to(300)

    assert in_time(run) == ["expired", "expired"]
