"""How long a refused login is tried again (a real sshd, a clock that leaps), and what is shown of a console."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Traits
from machine.errors import DriverError, EngineTimeout, InProgress, LoginRefused, LoginTimeout, WaitTimeout
from machine.lifecycle.driver_record import driver_context
from machine.lifecycle.power import stop
from machine.lifecycle.waiting import diagnostics, strip_ansi, switch_on, wait_for_engine, wait_for_shell
from machine.model import Endpoint, State, Verb
from machine.session import Session
from machine.store import Record, Store
from tests.drivers import contexts
from tests.lifecycle.test_remove import Cloud
from tests.sshd import Sshd, keygen


class LeapingClock:
    """Sleeping takes no time, and half a minute passes."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += 30.0


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    found = Sshd(tmp_path / "sshd")
    yield found
    found.stop()


CASES = (
    ("generic", "ready", LoginRefused, 0),
    ("cloud", "ready", LoginRefused, 60),
    ("cloud", "reachable", WaitTimeout, 300),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_refused_login_is_not_tried_for_as_long_as_a_first_boot(
    tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, type[Exception], int]
) -> None:
    driver, phase, error, passed = case
    monkeypatch.setitem(registry.TABLE, "cloud", "tests.lifecycle.test_remove:Cloud")
    session = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), clock=LeapingClock())
    session.store.add("dev")
    data = {"SSHKeyPath": str(keygen(tmp_path / "stranger")), "AccessToken": "", "IPAddress": sshd.address}
    record = Record.new(session.store.root, "dev", driver, data)
    record.phase = phase
    session.store.save(record)
    opened = registry.find(driver).load(driver_context(session, record), record.driver_object)
    with pytest.raises(error):
        wait_for_shell(session, record, opened, Endpoint(sshd.address, sshd.user, sshd.port), 300.0)
    assert session.clock.now() == passed


def test_a_console_is_shown_without_what_only_a_terminal_reads() -> None:
    booting = (
        "[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m - OpenBSD\r\n"
        "\x1b[!p\x1b]104\x07\x1b[?7h\x1b[6n\x1b[32766;32766H[ 59.9] cloud-init\ufffd\n\x1bclogin:\t\x1b(B_\x07"
    )
    assert strip_ansi(booting) == "[  OK  ] Started ssh.service - OpenBSD\n[ 59.9] cloud-init\nlogin:\t_"


class Silent:
    """A driver whose platform has no console to show."""

    def explain(self) -> str:
        return "its port is closed"

    def console_log(self) -> str:
        raise DriverError("there is no console")


def test_what_is_wrong_is_said_last_and_without_a_console_too() -> None:
    assert diagnostics(Silent()) == "(no more is known: there is no console)\nits port is closed"  # type: ignore[arg-type]  # it has only what is asked


class Busy(Cloud):
    """A machine whose platform has to end something, some times, before it starts."""

    def __init__(self, directory: Path, times: int) -> None:
        super().__init__(contexts.real(directory, "dev"), {})
        self.times, self.calls = times, 0

    def power(self, verb: Verb) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise InProgress("the ports of dev are not free yet")


@pytest.mark.parametrize("times", [0, 2])
def test_a_start_is_asked_for_until_the_platform_takes_it(tmp_path: Path, times: int) -> None:
    session = Session(Store(str(tmp_path)), Console(io.StringIO()), clock=LeapingClock())
    driver = Busy(tmp_path, times)
    switch_on(session, driver)
    assert driver.calls == times + 1


def test_a_start_that_never_comes_is_given_up(tmp_path: Path) -> None:
    session = Session(Store(str(tmp_path)), Console(io.StringIO()), clock=LeapingClock())
    with pytest.raises(WaitTimeout) as caught:
        switch_on(session, Busy(tmp_path, 1000))
    assert "not free yet" in caught.value.details
    assert caught.value.resolution


@pytest.mark.parametrize(("driver", "error"), [("generic", LoginTimeout), ("cloud", WaitTimeout)])
def test_a_login_that_takes_too_long_is_tried_again_with_more_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, error: type[Exception]
) -> None:
    """Where an sshd answered before, its error is the last word; a first boot has one with what its platform says."""
    monkeypatch.setitem(registry.TABLE, "cloud", "tests.lifecycle.test_remove:Cloud")
    monkeypatch.setattr("machine.ssh.client.answering", lambda *_: socket.socket())
    tries: list[float] = []

    def connect(record: Record, endpoint: Endpoint, seconds: float, sock: socket.socket | None) -> None:
        tries.append(seconds)
        raise LoginTimeout(f"the ssh login took longer than {seconds:g} s", resolution="run this again")

    monkeypatch.setattr("machine.clients.connect", connect)
    session = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), clock=LeapingClock())
    session.store.add("dev")
    record = Record.new(session.store.root, "dev", driver, {"AccessToken": "", "IPAddress": "192.0.2.1"})
    record.phase = "reachable"
    opened = registry.find(driver).load(driver_context(session, record), record.driver_object)
    with pytest.raises(error) as caught:
        wait_for_shell(session, record, opened, Endpoint("192.0.2.1"), 90.0)
    assert "took longer than 40 s" in f"{caught.value}\n{getattr(caught.value, 'details', '')}"
    assert tries == [10.0, 20.0, 40.0, 40.0]


class Slow(Cloud):
    """A machine that shuts down when it has been asked for its state some times, or at once when it is killed."""

    def __init__(self, directory: Path, times: int, seconds: float) -> None:
        super().__init__(contexts.real(directory, "dev"), {})
        self.times, self.seconds, self.verbs = times, seconds, list[Verb]()

    def power(self, verb: Verb) -> None:
        self.verbs.append(verb)

    def state(self) -> State:
        self.times -= 1
        return State.STOPPED if self.times < 0 or Verb.KILL in self.verbs else State.RUNNING

    def shutdown_timeout(self) -> float:
        return self.seconds


def test_the_power_is_cut_when_the_driver_gives_no_more_time(tmp_path: Path) -> None:
    said = io.StringIO()
    session = Session(Store(str(tmp_path)), Console(said), clock=LeapingClock())
    patient, impatient = Slow(tmp_path, 100, 10_000.0), Slow(tmp_path, 10**9, 90.0)
    stop(session, patient, Verb.STOP)
    assert patient.verbs == [Verb.STOP]
    assert "switched off" not in said.getvalue()
    stop(session, impatient, Verb.STOP)
    assert impatient.verbs == [Verb.STOP, Verb.KILL]
    assert "dev did not shut down within 90 s; it is switched off" in said.getvalue()


class Ending(Cloud):
    """A machine that runs when it is first asked for and has ended then, with a platform that is down in between."""

    traits: ClassVar[Traits] = Traits(name="ending", options=(), can_power=True)
    states: ClassVar[list[State | DriverError]] = []

    def state(self) -> State:
        found = self.states.pop(0)
        if isinstance(found, DriverError):
            raise found
        return found

    def explain(self) -> str:
        return "look at its log"

    def console_log(self) -> str:
        return "panic"


class Deaf:
    """An engine that never answers."""

    def ping(self) -> str:
        raise EngineTimeout("no answer")


@pytest.mark.parametrize("waits_for", ["engine", "shell"])
@pytest.mark.parametrize(
    ("phase", "resolution"), [("ready", "machine start dev"), ("reachable", "machine create --resume dev")]
)
def test_a_machine_that_ends_while_it_boots_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits_for: str, phase: str, resolution: str
) -> None:
    monkeypatch.setattr(Ending, "states", [State.RUNNING, DriverError("the platform is down"), State.STOPPED])
    monkeypatch.setattr("machine.ssh.client.answering", lambda *_: None)
    monkeypatch.setattr("machine.clients.engine_at", lambda *_: Deaf())
    session = Session(Store(str(tmp_path / "store")), Console(io.StringIO()), clock=LeapingClock())
    record = Record.new(session.store.root, "dev", "ending", {"SSHKeyPath": str(tmp_path / "none")})
    record.phase = phase
    driver, endpoint = Ending(contexts.real(tmp_path, "dev"), {}), Endpoint("127.0.0.1", ssh_port=1)
    monkeypatch.setattr("machine.clients.connect", _no_sshd)

    def wait() -> None:
        if waits_for == "engine":
            wait_for_engine(session, record, endpoint, 300.0, driver)
        else:
            wait_for_shell(session, record, driver, endpoint, 300.0)

    with pytest.raises(DriverError, match="ended while it booted: it is Stopped") as caught:
        wait()
    assert "panic" in caught.value.details
    assert "look at its log" in caught.value.details
    assert caught.value.resolution.startswith(resolution)
    assert session.clock.now() == 90.0


def _no_sshd(*_: object) -> None:
    raise LoginTimeout("nobody answers")
