"""A machine that is frozen or off: what is said, and that it is said soon."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from machine.drivers.base import Driver, Traits
from machine.errors import DriverError
from machine.lifecycle import provision
from machine.model import State
from tests.cli.typed import StoreWithEngines


@pytest.mark.parametrize("command", ["env", "config", "version"])
def test_an_engine_that_is_frozen_is_told_within_five_seconds(world: StoreWithEngines, command: str) -> None:
    """Its host goes on: both ports take connections, and the engine's never answers."""
    with socket.create_server(("127.0.0.1", 0)) as engine, socket.create_server(("127.0.0.1", 0)) as sshd:
        record = world.machine("dev", engine.getsockname()[1])
        record.driver["SSHPort"] = sshd.getsockname()[1]
        world.store.save(record)
        began = time.monotonic()
        typed = world.type(command, "dev")
    assert time.monotonic() - began < 5
    assert (typed.status, typed.out) == (1, "")
    assert "did not answer within 3.5 s" in typed.err
    assert "its platform says that the machine runs" in typed.err
    assert "Try: machine restart dev\n" in typed.err


def test_a_platform_that_does_not_answer_either_costs_no_more_time(
    world: StoreWithEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("machine.cli.connect.ENGINE_SECONDS", 0.2)
    monkeypatch.setattr("machine.cli.connect.STATE_SECONDS", 0.2)
    monkeypatch.setattr("machine.drivers.generic.driver.GenericDriver.state", lambda self: time.sleep(3))
    with socket.create_server(("127.0.0.1", 0)) as engine:
        world.machine("dev", engine.getsockname()[1])
        began = time.monotonic()
        assert "did not answer" in world.type("env", "dev").err
    assert time.monotonic() - began < 2


class Powered(Driver):
    """A driver that can switch machines on; `found` is what its platform says."""

    traits: ClassVar[Traits] = Traits(name="powered", options=(), can_power=True)
    found = State.STOPPED

    def power(self, verb: object) -> None: ...

    def state(self) -> State:
        return self.found


def driver_of(found: State) -> Any:
    """A driver whose platform says `found`."""
    concrete = type("Concrete", (Powered,), dict.fromkeys(Powered.__abstractmethods__))  # nothing else is called
    made: Any = object.__new__(concrete)
    made.found = found
    return made


@pytest.mark.parametrize("found", [State.STOPPED, State.SAVED, State.PAUSED])
def test_a_machine_that_is_off_is_to_be_started_first(found: State) -> None:
    record: Any = SimpleNamespace(name="dev", reached=lambda phase: True)
    with pytest.raises(DriverError) as caught:
        provision._check_running(record, driver_of(found))
    assert caught.value.brief == f"dev is {found.lower()}"
    assert caught.value.resolution.startswith("machine start dev")
    assert caught.value.details == ""


def test_a_machine_that_runs_or_is_half_made_is_gone_on_with() -> None:
    record: Any = SimpleNamespace(name="dev", reached=lambda phase: True)
    provision._check_running(record, driver_of(State.RUNNING))
    half: Any = SimpleNamespace(name="dev", reached=lambda phase: False)
    provision._check_running(half, driver_of(State.STOPPED))
