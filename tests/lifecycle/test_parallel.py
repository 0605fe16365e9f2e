"""The same act on several machines: Ctrl-C, failures, and what is shown of them."""

from __future__ import annotations

import _thread
import dataclasses
import io
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from machine.console import Console
from machine.errors import MASK, DriverError, Interrupted
from machine.lifecycle import parallel
from machine.session import InterruptibleClock, Session
from machine.store import Store


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(store=Store(str(tmp_path / "store")), console=Console(io.StringIO()))


@pytest.mark.parametrize("names", [["one"], ["one", "two"]])
def test_a_platform_that_repeats_a_secret_is_not_repeated(session: Session, names: list[str]) -> None:
    session.console.hide("hunter2222")

    def act(_: Session, name: str) -> None:
        raise DriverError(f"{name}: hunter2222 is no key", details="sent hunter2222", resolution="not hunter2222")

    failures = parallel.run(session, names, act)
    assert sorted(failures) == names
    for name, error in failures.items():
        assert isinstance(error, DriverError)
        assert error.brief == str(error.args[0]).replace("hunter2222", MASK) == f"{name}: {MASK} is no key"
        assert (error.details, error.resolution) == (f"sent {MASK}", f"not {MASK}")


class Waits(NamedTuple):
    """When `parallel.run` has begun to wait for results, and when it has taken one and waits for the next."""

    begun: threading.Event
    taken: threading.Event


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    waits = Waits(threading.Event(), threading.Event())

    class Queue(queue.Queue[tuple[str, BaseException | None]]):
        got = False

        def get(self, block: bool = True, timeout: float | None = None) -> tuple[str, BaseException | None]:
            waits.begun.set()
            if self.got:
                waits.taken.set()
            found = super().get(block, timeout)
            self.got = True
            return found

    monkeypatch.setattr(queue, "Queue", Queue)
    return waits


def test_a_failure_before_ctrl_c_is_told_with_it(session: Session, waits: Waits) -> None:
    """`broken` has failed and `slow` is at work when the main thread is interrupted."""

    def act(about: Session, name: str) -> None:
        if name == "broken":
            raise DriverError("no quota is left", resolution="ask for more")
        about.clock.sleep(60)

    def interrupt() -> None:
        if waits.taken.wait(60):
            _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    asked: list[list[str]] = []

    def advice(cut: Sequence[str]) -> str:
        asked.append(list(cut))
        return "go on"

    with pytest.raises(Interrupted) as caught:
        parallel.run(session, ["broken", "slow"], act, advice)
    assert caught.value.brief == "interrupted while working on slow"
    assert "broken had failed: no quota is left" in caught.value.details
    assert "ask for more" in caught.value.details
    assert asked == [["slow"]], "advice on what was cut short only: the other has its own"


def test_one_machine_that_ctrl_c_interrupts_gets_the_advice(session: Session) -> None:
    def act(_: Session, name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        parallel.run(session, ["only"], act, lambda names: f"continue {' '.join(names)}")
    assert (caught.value.brief, caught.value.resolution) == ("interrupted while working on only", "continue only")


def test_an_interrupted_action_that_has_advice_of_its_own_keeps_it(session: Session) -> None:
    error = Interrupted("interrupted; nothing was made of only", resolution="begin again")

    def act(_: Session, name: str) -> None:
        raise error

    assert parallel.run(session, ["only"], act, lambda _: "continue") == {"only": error}
    assert error.resolution == "begin again"


def test_a_failure_after_ctrl_c_is_told_with_it(session: Session, waits: Waits) -> None:
    """`broken` fails of itself while the others come to their end."""
    at_work, interrupted = threading.Barrier(3), threading.Event()

    class Clock(InterruptibleClock):
        def stop(self) -> None:  # what `parallel.run` does first when it is interrupted
            super().stop()
            interrupted.set()

    session = dataclasses.replace(session, clock=Clock())

    def act(about: Session, name: str) -> None:
        at_work.wait(30)
        if name == "slow":
            about.clock.sleep(60)
        assert interrupted.wait(30)
        raise DriverError("no quota is left", resolution="ask for more")

    def interrupt() -> None:
        at_work.wait(30)
        if waits.begun.wait(30):
            _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Interrupted) as caught:
        parallel.run(session, ["broken", "slow"], act, lambda names: f"continue {' '.join(names)}")
    assert caught.value.brief == "interrupted while working on slow"
    assert "broken had failed: no quota is left" in caught.value.details
    assert caught.value.resolution == "continue slow"
