"""A machine that is frozen or off: what is said, and that it is said soon."""

from __future__ import annotations

import io
import socket
import time
from pathlib import Path
from typing import ClassVar

import pytest

from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Traits
from machine.errors import DriverError
from machine.lifecycle.provision import log_in
from machine.model import Endpoint, State
from machine.session import Session
from machine.store import Record, Store
from tests.cli.typed import StoreWithEngines
from tests.lifecycle.cloud import TokenDriver


@pytest.mark.parametrize("command", ["env", "config", "version"])
def test_an_engine_that_is_frozen_is_told_within_five_seconds(cli: StoreWithEngines, command: str) -> None:
    """Its host goes on: both ports take connections, and the engine's never answers."""
    with socket.create_server(("127.0.0.1", 0)) as engine, socket.create_server(("127.0.0.1", 0)) as sshd:
        record = cli.machine("dev", engine.getsockname()[1])
        record.driver_object["SSHPort"] = sshd.getsockname()[1]
        cli.store.save(record)
        began = time.monotonic()
        typed = cli.type(command, "dev")
    assert time.monotonic() - began < 7  # five on an idle computer; asked for its state as long again, it were seven
    assert (typed.status, typed.out) == (1, "")
    assert "did not answer within 3.5 s" in typed.err
    assert "its platform says that the machine runs" in typed.err
    advice = next(line for line in typed.err.splitlines() if line.startswith("Try: "))
    assert advice.startswith("Try: run this again")
    assert advice.index("machine status dev") < advice.index("machine restart dev")


def test_a_platform_that_does_not_answer_either_costs_no_more_time(
    cli: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("machine.cli.connect.ENGINE_SECONDS", 0.2)
    monkeypatch.setattr("machine.cli.connect.STATE_SECONDS", 0.2)
    monkeypatch.setattr("machine.drivers.generic.driver.GenericDriver.state", lambda self: time.sleep(6))
    with socket.create_server(("127.0.0.1", 0)) as engine:
        cli.machine("dev", engine.getsockname()[1])
        began = time.monotonic()
        assert "did not answer" in cli.type("env", "dev").err
    assert time.monotonic() - began < 5


class Powered(TokenDriver):
    """A machine that can be switched on; `found` is what its platform says. It is told where it asks for an address."""

    traits: ClassVar[Traits] = Traits(name="powered", options=(), can_power=True)
    found: ClassVar[State] = State.STOPPED

    def check(self) -> None: ...

    def create(self) -> None: ...

    def power(self, verb: object) -> None: ...

    def remove(self) -> None: ...

    def state(self) -> State:
        return self.found

    def endpoint(self) -> Endpoint | None:
        raise DriverError("its address was asked for")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A store with the machine dev of the driver `powered`."""
    monkeypatch.setitem(registry.TABLE, "powered", f"{__name__}:Powered")
    store = Store(str(tmp_path / "store"))
    store.add("dev")
    return Session(store, Console(io.StringIO()), environ={"HOME": str(tmp_path)})


def refusal(session: Session, phase: str, found: State, monkeypatch: pytest.MonkeyPatch) -> DriverError:
    """Why nobody can log in to dev, whose create came as far as `phase`."""
    monkeypatch.setattr(Powered, "found", found)
    record = Record.new(session.store.root, "dev", "powered", {})
    record.phase = phase
    with pytest.raises(DriverError) as caught:
        log_in(session, record)
    return caught.value


@pytest.mark.parametrize("found", [State.STOPPED, State.SAVED, State.PAUSED])
def test_a_machine_that_is_off_is_to_be_started_first(
    session: Session, monkeypatch: pytest.MonkeyPatch, found: State
) -> None:
    error = refusal(session, "ready", found, monkeypatch)
    assert error.brief == f"dev is {'suspended' if found is State.SAVED else found.lower()}"
    assert error.resolution.startswith("machine start dev")
    assert error.details == ""


def test_a_machine_that_runs_or_is_half_made_is_gone_on_with(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes next is the wait for its address, which has words of its own for a machine that is off."""
    assert refusal(session, "ready", State.RUNNING, monkeypatch).brief == "its address was asked for"
    assert refusal(session, "created", State.RUNNING, monkeypatch).brief == "its address was asked for"
    assert refusal(session, "created", State.STOPPED, monkeypatch).brief == "dev is Stopped instead of Running"
