"""`machine set` over a platform that is written down here: what is on disk when, and what a kill leaves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from machine.console import Console
from machine.drivers import registry
from machine.drivers.base import Driver, DriverContext, Traits
from machine.errors import DriverError, InProgress, MachineNotFound, NotSupported, UsageError
from machine.lifecycle import change, pending_changes
from machine.lifecycle.power import power
from machine.model import Endpoint, State, Verb
from machine.options import DISK, VALUE, Option, Values
from machine.session import Session
from machine.store import Record, Store
from tests.lifecycle.test_waiting import LeapingClock


class Killed(BaseException):
    """What a kill -9 does to a process: nothing after it is done."""


class Rack:
    """The platform: one machine, with the size that it runs with; `die_at` is the number of the call that kills."""

    state = State.RUNNING
    size = 1
    started_with = 1
    refuses = False  # whether the platform refuses to resize it
    calls: ClassVar[list[str]] = []
    die_at: int | None = None

    @classmethod
    def call(cls, what: str) -> None:
        """Note a call; the process ends before or after what it does."""
        if cls.die_at is not None and len(cls.calls) == cls.die_at:
            raise Killed(what)
        cls.calls.append(what)


class RackDriver(Driver):
    """A driver that changes `size` only while the machine is off."""

    traits: ClassVar[Traits] = Traits(
        name="rack",
        options=(Option("rack-size", "int", default=1, changeable=VALUE), Option("rack-place")),
        has_host=False,
        can_power=True,
    )

    def __init__(self, ctx: DriverContext, data: dict[str, Any]) -> None:
        super().__init__(ctx)
        self.data = data

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, {"Size": values["rack-size"]})

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, dict(data))

    def dump(self) -> dict[str, Any]:
        return dict(self.data)

    def check(self) -> None:
        pass

    def create(self) -> None:
        pass

    def state(self) -> State:
        return Rack.state

    def endpoint(self) -> Endpoint | None:
        return Endpoint("127.0.0.1")

    def power(self, verb: Verb) -> None:
        Rack.call(str(verb))
        Rack.state = State.RUNNING if verb is Verb.START else State.STOPPED
        Rack.started_with = Rack.size

    def remove(self) -> None:
        pass

    def current_values(self) -> Values:
        return {"rack-size": self.data["Size"]}

    def change(self, values: Values) -> None:
        if values["rack-size"] > 9:
            raise UsageError("--rack-size 10 is too much", resolution="9 at most")
        self.data["Size"] = values["rack-size"]

    def apply_changes(self, names: Sequence[str]) -> Sequence[str]:
        if Rack.size == self.data["Size"]:
            return names
        if Rack.state is State.RUNNING:
            return ()
        if Rack.refuses:
            raise DriverError("no such size", resolution="another size")
        Rack.call("resize")
        Rack.size = self.data["Size"]
        Rack.call("resized")
        raise InProgress("it is being resized")

    def wanted_disk(self) -> int:
        return 0


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A store with the machine `dev`, which runs."""
    monkeypatch.setitem(registry.TABLE, "rack", f"{__name__}:RackDriver")
    for name, value in {
        "state": State.RUNNING,
        "size": 1,
        "started_with": 1,
        "calls": [],
        "die_at": None,
        "refuses": False,
    }.items():
        monkeypatch.setattr(Rack, name, value)
    made = Session(Store(str(tmp_path)), Console(io.StringIO()), environ={}, clock=LeapingClock())
    made.store.add("dev")
    record = Record.new(made.store.root, "dev", "rack", {"Size": 1, "IPAddress": "127.0.0.1"})
    record.phase = "ready"
    made.store.save(record)
    return made


def recorded(session: Session) -> tuple[int, list[str]]:
    """The size that is wanted, and what the machine may not have yet, as they are on disk."""
    record = session.store.load("dev")
    return record.driver_object["Size"], record.pending_changes


def test_a_machine_that_runs_has_it_after_a_restart(session: Session) -> None:
    outcome = change.change(session, "dev", {"rack-size": 4})
    assert [(item.option, item.before, item.after) for item in outcome.changes] == [("rack-size", 1, 4)]
    assert (outcome.pending, outcome.running) == (["rack-size"], True)
    assert recorded(session) == (4, ["rack-size"])
    assert Rack.calls == []
    power(session, "dev", Verb.RESTART)
    assert Rack.started_with == 4
    assert recorded(session) == (4, [])


def test_a_restart_only_where_one_is_needed(session: Session) -> None:
    change.change(session, "dev", {"rack-size": 4}, with_restart=True)
    assert (Rack.started_with, Rack.state, recorded(session)) == (4, State.RUNNING, (4, []))
    Rack.calls.clear()
    outcome = change.change(session, "dev", {"rack-size": 4}, with_restart=True)
    assert (outcome.changes, outcome.pending, Rack.calls) == ([], [], [])


def test_one_that_is_off_is_changed_and_stays_off(session: Session) -> None:
    Rack.state = State.STOPPED
    outcome = change.change(session, "dev", {"rack-size": 4}, with_restart=True)
    assert (Rack.size, Rack.state, outcome.pending, outcome.running) == (4, State.STOPPED, [], False)


@pytest.mark.parametrize("verb", [Verb.START, Verb.RESTART])
def test_a_refusal_keeps_no_machine_off(session: Session, verb: Verb) -> None:
    change.change(session, "dev", {"rack-size": 4})
    Rack.refuses = True
    if verb is Verb.START:
        Rack.state = State.STOPPED
    with pytest.raises(DriverError, match="no such size") as caught:
        power(session, "dev", verb)
    assert "another size; machine set dev" in caught.value.resolution
    assert (Rack.state, Rack.started_with, recorded(session)) == (State.RUNNING, 1, (4, ["rack-size"]))
    assert change.change(session, "dev", {"rack-size": 1}).pending == [], "taken back"


def test_a_disk_that_grows_only_while_the_machine_is_off(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Option("rack-size", "int", default=1, changeable=DISK)
    monkeypatch.setattr(RackDriver, "traits", replace(RackDriver.traits, options=(disk,)))
    grown: list[int] = []
    monkeypatch.setattr(pending_changes, "grow", lambda *_: grown.append(Rack.size))
    outcome = change.change(session, "dev", {"rack-size": 4})
    assert (outcome.pending, grown, recorded(session)) == (["rack-size"], [], (4, ["rack-size"])), "it runs"
    power(session, "dev", Verb.START)
    assert (grown, recorded(session)) == ([], (4, ["rack-size"])), "it runs already"
    power(session, "dev", Verb.RESTART)
    assert (grown, recorded(session)) == ([4], (4, []))


def test_start_of_a_machine_that_runs_finishes_what_was_cut_short(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Option("rack-size", "int", default=1, changeable=DISK)
    monkeypatch.setattr(RackDriver, "traits", replace(RackDriver.traits, options=(disk,)))
    grown: list[int] = []
    monkeypatch.setattr(pending_changes, "grow", lambda *_: grown.append(Rack.size))
    record = session.store.load("dev")
    record.pending_changes = ["rack-size"]
    session.store.save(record)
    power(session, "dev", Verb.START)
    assert (grown, recorded(session)) == ([1], (1, []))


def test_taken_back_before_the_restart(session: Session) -> None:
    change.change(session, "dev", {"rack-size": 4})
    assert change.change(session, "dev", {"rack-size": 1}).pending == []
    assert recorded(session) == (1, [])


def test_a_note_that_the_driver_does_not_know_is_struck_off(session: Session) -> None:
    Rack.state = State.STOPPED
    record = session.store.load("dev")
    record.pending_changes = ["rack-of-a-newer-version"]
    session.store.save(record)
    power(session, "dev", Verb.START)
    assert recorded(session) == (1, [])


def test_a_dry_run_writes_nothing(session: Session) -> None:
    before = session.store.load("dev").encode()
    outcome = change.change(session, "dev", {"rack-size": 4}, with_restart=True, dry_run=True)
    assert [item.after for item in outcome.changes] == [4]
    assert session.store.load("dev").encode() == before
    assert Rack.calls == []


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"rack-size": 10}, UsageError, "9 at most"),
        ({"rack-place": "x"}, UsageError, "machine set changes --rack-size"),
        ({"qemu-memory": 512}, UsageError, "machine set changes --rack-size"),
        ({}, UsageError, "machine set changes --rack-size"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_changed(
    session: Session, values: dict[str, Any], error: type[UsageError], said: str
) -> None:
    before = session.store.load("dev").encode()
    with pytest.raises(error) as caught:
        change.change(session, "dev", values)
    assert said in caught.value.resolution
    assert session.store.load("dev").encode() == before


@pytest.mark.parametrize(("state", "said"), [(State.MISSING, "does not exist"), (State.SAVED, "suspended")])
def test_a_machine_that_is_not_there_or_saved(session: Session, state: State, said: str) -> None:
    Rack.state = state
    with pytest.raises(DriverError, match=said):
        change.change(session, "dev", {"rack-size": 4})
    assert recorded(session) == (1, [])


def test_a_driver_that_changes_nothing_says_so(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RackDriver, "traits", replace(RackDriver.traits, options=()))
    with pytest.raises(NotSupported, match="the driver rack cannot change a machine"):
        change.change(session, "dev", {"rack-size": 4})


def test_an_unknown_machine(session: Session) -> None:
    with pytest.raises(MachineNotFound):
        change.change(session, "nope", {"rack-size": 4})


def set_again(session: Session) -> None:
    change.change(session, "dev", {"rack-size": 4}, with_restart=True)


def start_and_restart(session: Session) -> None:
    power(session, "dev", Verb.START)
    power(session, "dev", Verb.RESTART)


@pytest.mark.parametrize("mend", [set_again, start_and_restart])
@pytest.mark.parametrize("moment", range(4))
def test_a_kill_at_any_moment_is_mended(session: Session, moment: int, mend: Callable[[Session], object]) -> None:
    Rack.die_at = moment
    with pytest.raises(Killed):
        change.change(session, "dev", {"rack-size": 4}, with_restart=True)
    has_it = moment == 3  # the machine is off then, and was changed
    assert recorded(session) == (4, [] if has_it else ["rack-size"]), "it is written down before it is acted upon"
    Rack.die_at = None
    mend(session)
    if Rack.state is not State.RUNNING:  # `set` leaves a machine that is off as it is
        power(session, "dev", Verb.START)
    assert (Rack.started_with, Rack.state, recorded(session)) == (4, State.RUNNING, (4, []))


def test_the_note_is_a_list_of_words_on_disk(session: Session, tmp_path: Path) -> None:
    change.change(session, "dev", {"rack-size": 4})
    on_disk = json.loads((tmp_path / "machines" / "dev" / "config.json").read_text())
    assert on_disk["Machine"]["PendingChanges"] == ["rack-size"]


@pytest.mark.parametrize(
    ("output", "sizes"),
    [
        ("20480000 19968000\n", (20000, 19500)),
        ("noise of a login\n0 4096", (0, 4)),
        ("", (0, 0)),
        ("1", (0, 0)),
        ("1 2 3", (0, 0)),
        (f"{'9' * 400} 1", (0, 0)),
        ("-1 1", (0, 0)),
    ],
)
def test_what_a_machine_says_of_its_sizes(output: str, sizes: tuple[int, int]) -> None:
    assert pending_changes.sizes_of(output) == sizes
