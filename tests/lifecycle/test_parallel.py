"""The same act on several machines: Ctrl-C, failures, and what is shown of them."""

from __future__ import annotations

import _thread
import io
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from machine.console import Console
from machine.errors import MASK, DriverError, Interrupted
from machine.lifecycle import parallel
from machine.session import Session
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


def test_a_failure_before_ctrl_c_is_told_with_it(session: Session) -> None:
    """`broken` has failed and `slow` is at work when the main thread is interrupted."""
    failed = threading.Event()

    def act(about: Session, name: str) -> None:
        if name == "broken":
            failed.set()
            raise DriverError("no quota is left", resolution="ask for more")
        about.clock.sleep(60)

    def interrupt() -> None:
        failed.wait(60)
        time.sleep(3)  # for the failure to be taken
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


def test_a_failure_after_ctrl_c_is_told_with_it(session: Session) -> None:
    """`broken` fails of itself while the others come to their end."""

    interrupted = threading.Event()

    def act(about: Session, name: str) -> None:
        if name == "slow":
            about.clock.sleep(60)
        assert interrupted.wait(30)
        time.sleep(1.5)  # for the interruption to be taken
        raise DriverError("no quota is left", resolution="ask for more")

    def interrupt() -> None:
        time.sleep(0.5)
        _thread.interrupt_main()
        interrupted.set()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Interrupted) as caught:
        parallel.run(session, ["broken", "slow"], act, lambda names: f"continue {' '.join(names)}")
    assert caught.value.brief == "interrupted while working on slow"
    assert "broken had failed: no quota is left" in caught.value.details
    assert caught.value.resolution == "continue slow"
