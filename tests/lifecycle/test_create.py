"""The steps of create: their order, what a resume skips, and what errors and Ctrl-C say exists."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from machine.console import Console
from machine.drivers.images.fetch import Unreachable
from machine.errors import DriverError, Interrupted, LoginRefused, MachineError
from machine.lifecycle.create import CREATE, CREATE_WITHOUT_HOST, run_steps
from machine.lifecycle.create_steps import CreateStep, Creation
from machine.lifecycle.driver_record import open_driver
from machine.model import Endpoint
from machine.session import Session
from machine.store import PHASES, Record, Store


@pytest.fixture
def creation(tmp_path: Path) -> Creation:
    session = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), environ={"HOME": str(tmp_path)})
    record = Record.new(session.store.root, "m1", "none", {"URL": "tcp://192.0.2.1:2376"})
    session.store.add("m1")
    session.store.save(record)
    return Creation(session, record, open_driver(session, record), docker_context=False, recorded=True)


def noting(done: list[str], fails: BaseException | None = None, at: str = "") -> list[CreateStep]:
    """The steps of create with the same rules of skipping, which only note that they were taken."""

    def note(text: str) -> None:
        done.append(text)
        if fails is not None and text == at:
            raise fails

    def noted(text: str) -> Callable[[Creation], None]:
        return lambda _: note(text)

    return [
        CreateStep(
            step.name,
            noted(step.name),
            step.description,
            step.skip_if_reached,
            noted(f"instead of {step.name}") if step.on_skip else None,
        )
        for step in CREATE[1:]
    ]


def test_the_steps_are_the_phases_of_the_record() -> None:
    assert tuple(step.name for step in CREATE) == PHASES
    assert {step.name for step in CREATE_WITHOUT_HOST} <= set(PHASES)


def test_a_create_takes_every_step_and_records_the_last(creation: Creation) -> None:
    done: list[str] = []
    run_steps(creation, noting(done))
    assert done == ["created", "reachable", "provisioned", "ready"]
    assert creation.session.store.load("m1").phase == "ready"


@pytest.mark.parametrize("phase", PHASES)
def test_a_resume_asks_for_no_machine_that_was_reachable_once(creation: Creation, phase: str) -> None:
    creation.record.phase = phase
    done: list[str] = []
    run_steps(creation, noting(done))
    first = "created" if phase in ("recorded", "created") else "instead of created"
    assert done == [first, "reachable", "provisioned", "ready"], "addresses change, and provisioning changes nothing"


def test_an_error_keeps_the_phase_and_says_how_to_go_on(creation: Creation) -> None:
    done: list[str] = []
    with pytest.raises(DriverError) as caught:
        run_steps(creation, noting(done, DriverError("no address", resolution="look there"), "reachable"))
    assert done == ["created", "reachable"]
    assert creation.session.store.load("m1").phase == "created"
    assert caught.value.resolution.startswith("look there; then machine create --resume m1 continues from here")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Unreachable("no such file", resolution="check the URL"), "the URL"),
        (LoginRefused("none of our keys", resolution="put the key there"), "the user or the key"),
        (DriverError("no such size", resolution="give another --openstack-flavor-name"), "a flag"),
    ],
)
def test_what_resume_cannot_change_takes_a_new_machine(creation: Creation, error: MachineError, fault: str) -> None:
    creation.record.raw["DriverName"] = "openstack"
    advice = error.resolution
    with pytest.raises(MachineError) as caught:
        run_steps(creation, noting([], error, "reachable"))
    assert caught.value.resolution == (
        f"{advice}; then machine create --resume m1 continues from here;"
        f" if {fault} is wrong: machine rm m1, and create it again"
    )


def test_ctrl_c_says_what_exists(creation: Creation) -> None:
    with pytest.raises(Interrupted, match="m1 is incomplete") as caught:
        run_steps(creation, noting([], KeyboardInterrupt(), "provisioned"))
    assert "machine create --resume m1" in caught.value.resolution
    assert creation.session.store.load("m1").phase == "reachable"


def test_before_there_is_a_record_nothing_is_to_be_resumed(creation: Creation) -> None:
    creation.recorded = False
    with pytest.raises(DriverError) as caught:
        run_steps(creation, noting([], DriverError("taken"), "created"))
    assert not caught.value.resolution


class Killed(BaseException):
    """The end of the process at this moment."""


def kill(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("step", [CREATE[-1], CREATE_WITHOUT_HOST[-1]], ids=["host", "url"])
def test_a_machine_is_ready_only_after_its_docker_context_was_made(
    creation: Creation, monkeypatch: pytest.MonkeyPatch, step: CreateStep
) -> None:
    creation.docker_context = True
    creation.endpoint = Endpoint("192.0.2.1")
    monkeypatch.setattr("machine.lifecycle.waiting.wait_for_engine", lambda *_: None)
    monkeypatch.setattr("machine.docker_context.write", kill)
    with pytest.raises(Killed):
        run_steps(creation, [step])
    assert not creation.session.store.load("m1").reached("ready")


@pytest.mark.parametrize("step", [CREATE[-1], CREATE_WITHOUT_HOST[-1]], ids=["host", "url"])
def test_a_machine_is_called_ready_only_when_its_record_says_so(
    creation: Creation, monkeypatch: pytest.MonkeyPatch, step: CreateStep
) -> None:
    creation.endpoint = Endpoint("192.0.2.1")
    monkeypatch.setattr("machine.lifecycle.waiting.wait_for_engine", lambda *_: None)
    monkeypatch.setattr(Console, "done", kill)
    with pytest.raises(Killed):
        run_steps(creation, [step])
    assert creation.session.store.load("m1").reached("ready")
