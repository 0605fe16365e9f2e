"""What every cloud's driver is held to, against whatever stands in for the cloud.

A driver's tests make a `Cloud` and take the suite over:

    class TestAmazon(CloudContract):
        @pytest.fixture
        def cloud(self, ...) -> Iterator[Cloud]: ...

Every call passes a `FaultProxy` (tests/drivers/fault_proxy.py), where it is counted, delayed, spoilt, or made the
last thing that the program did.
"""

from __future__ import annotations

import contextlib
import dataclasses
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from machine.drivers.base import ConsoleLog, Diagnosable, Driver
from machine.errors import DriverError, InProgress, MachineError, PreflightFailed
from machine.model import State, Verb
from machine.store import Record, Store
from machine.wait import NotYet, SystemClock, until
from tests.drivers.cloud_lies import CloudLies
from tests.drivers.cloud_stand_in import Cloud, again, create_until_done, make, new, unmake, wait_for_state
from tests.drivers.commands import calls_of_create, kill_at, line
from tests.drivers.fault_proxy import Answer, Call, answer, delay, drop_answer, hang, reply_with
from tests.drivers.pauses import written_down
from tests.program import Program
from tests.test_imports import loaded

READING = ("ls -q", "ip dev", "url dev", "env --shell bash dev")
SWARM_PORTS = (3376, 2377, 7946, 4789)  # of a master of the classic swarm that is in swarm mode too


def first_of_each_name(once: set[str]) -> Callable[[Call], bool]:
    """A function that tells whether a call is the first of its name; the names are added to `once`."""

    def first(call: Call) -> bool:
        known = call.name in once
        once.add(call.name)
        return not known

    return first


def ask_all(cloud: Cloud, driver: Driver) -> None:
    """Every query, by this process and by another one: none makes, changes, removes or saves anything."""
    saved: list[dict[str, Any]] = driver.saved  # type: ignore[attr-defined]  # kept beside it for the test
    for one in (driver, again(driver)):
        before, known = len(saved), one.dump()
        cloud.proxy.clear()
        one.state()
        one.endpoint()
        if isinstance(one, Diagnosable):
            one.explain()
        if isinstance(one, ConsoleLog):
            with contextlib.suppress(DriverError):  # there is none of a machine that is not there
                one.console_log()
        assert [call for call in cloud.proxy.names() if cloud.changes(call)] == []
        assert len(saved) == before
        assert one.dump() == known


class CloudContract(CloudLies):
    """Taken over by each cloud's tests."""

    with_more: ClassVar[dict[str, Any]] = {}  # option values with which a create has the most to make

    def test_a_query_changes_nothing(self, cloud: Cloud, tmp_path: Path) -> None:
        """Whenever it comes: before there is a machine, while it is made, while it runs, when it is off, after all."""
        driver = new(cloud, tmp_path, **self.with_more)
        driver.check()
        driver.ctx.save(driver)
        ask_all(cloud, driver)

        def attempt() -> None:
            try:
                driver.create()
            except InProgress as error:
                ask_all(cloud, driver)
                raise NotYet.because(error) from error

        until(attempt, what="the machine", seconds=60, every=0.05, clock=SystemClock())
        ask_all(cloud, driver)
        wait_for_state(driver, State.RUNNING)
        ask_all(cloud, driver)
        assert driver.endpoint() is not None, "a create that has come to its end has made the address too"
        driver.power(Verb.STOP)
        ask_all(cloud, driver)
        wait_for_state(driver, State.STOPPED)
        ask_all(cloud, driver)
        cloud.forget()
        ask_all(cloud, driver)
        unmake(driver)
        ask_all(cloud, driver)

    def test_the_whole_life(self, cloud: Cloud, tmp_path: Path) -> None:
        """Everything that a create made is gone after a remove; every step may come twice."""
        before = cloud.listing()
        driver = new(cloud, tmp_path)
        driver.check()
        assert cloud.listing() == before, "the checks make nothing"
        make(driver)
        assert cloud.machines() == 1
        assert cloud.listing() != before
        assert again(driver).endpoint() == driver.endpoint() is not None
        unmake(again(driver))
        assert driver.state() is State.MISSING
        assert cloud.listing() == before
        unmake(again(driver))
        unmake(driver)
        assert cloud.listing() == before

    def test_a_second_create_makes_no_second_machine(self, cloud: Cloud, tmp_path: Path) -> None:
        before = cloud.listing()
        driver = make(new(cloud, tmp_path))
        create_until_done(driver)
        create_until_done(again(driver))
        assert cloud.machines() == 1
        unmake(again(driver))
        assert cloud.listing() == before

    def test_a_machine_that_the_cloud_lost(self, cloud: Cloud, tmp_path: Path) -> None:
        driver = make(new(cloud, tmp_path))
        cloud.forget()
        lost_one = again(driver)
        assert lost_one.state() is State.MISSING
        assert lost_one.endpoint() is None
        for verb in (Verb.START, Verb.STOP, Verb.RESTART):
            with pytest.raises(DriverError) as caught:
                lost_one.power(verb)
            assert caught.value.resolution
        before = cloud.listing()
        unmake(lost_one)
        assert cloud.listing() == before

    def test_power_is_idempotent(self, cloud: Cloud, tmp_path: Path) -> None:
        driver = make(new(cloud, tmp_path))
        try:
            for verb, state in (
                (Verb.START, State.RUNNING),
                (Verb.STOP, State.STOPPED),
                (Verb.STOP, State.STOPPED),
                (Verb.KILL, State.STOPPED),
                (Verb.START, State.RUNNING),
                (Verb.RESTART, State.RUNNING),
                (Verb.KILL, State.STOPPED),
                (Verb.RESTART, State.RUNNING),
            ):
                again(driver).power(verb)
                wait_for_state(driver, state)
        finally:
            unmake(driver)

    def test_two_machines_share_and_the_last_one_cleans_up(self, cloud: Cloud, tmp_path: Path) -> None:
        before = cloud.listing()
        made: dict[str, Driver] = {}
        failures: list[BaseException] = []

        def one(name: str) -> None:
            def others() -> list[dict[str, Any]]:
                return [d.dump() for n, d in list(made.items()) if n != name]

            driver = new(cloud, tmp_path, name)
            driver.ctx = dataclasses.replace(driver.ctx, siblings=others)
            made[name] = driver
            try:
                make(driver)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failures == []
        assert cloud.machines() == 3
        for name in ("b", "a", "c"):
            unmake(made[name])
            del made[name]
            assert cloud.machines() == len(made)
            for rest in made.values():
                assert again(rest).state() is State.RUNNING
        assert cloud.listing() == before

    def test_the_swarm_gets_in_where_a_machine_has_a_part_in_it(self, cloud: Cloud, tmp_path: Path) -> None:
        """Also where what the cloud shares among machines was made for one that has none."""
        before = cloud.listing()
        plain, other = new(cloud, tmp_path, "plain"), new(cloud, tmp_path, "other")
        other.ctx = dataclasses.replace(other.ctx, siblings=lambda: [plain.dump()], cluster_ports=SWARM_PORTS)
        make(plain)
        assert (found := cloud.ports_open()) == {"22/tcp", "2376/tcp"}, found
        make(other)
        found = cloud.ports_open() - {"22/tcp", "2376/tcp"}
        assert found == {"3376/tcp", "2377/tcp", "7946/tcp", "7946/udp", "4789/udp"}, found
        unmake(other)
        unmake(plain)
        assert cloud.listing() == before

    @pytest.mark.slow
    def test_every_answer_may_be_lost_once(self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each call that changes something is done over there, its answer is lost, and the repetition finds it done."""
        written_down(cloud.pausing, monkeypatch)
        before = cloud.listing()
        make(probe := new(cloud, tmp_path / "probe"))
        unmake(probe)
        names = [name for name in dict.fromkeys(cloud.proxy.names()) if cloud.changes(name)]
        assert cloud.making in names
        for name in names:
            cloud.proxy.clear()
            cloud.proxy.on(name, drop_answer, times=1)
            driver = new(cloud, tmp_path / name)
            make(driver)
            assert cloud.machines() == 1, name
            unmake(again(driver))
            assert cloud.listing() == before, name

    @pytest.mark.slow
    def test_throttled_and_broken_answers_are_repeated(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After the pause that the cloud asks for, where it asks for one."""
        pauses = written_down(cloud.pausing, monkeypatch)
        before = cloud.listing()
        for spoilt in (cloud.throttled, cloud.broken):
            cloud.proxy.clear()
            pauses.asked.clear()
            once: set[str] = set()
            cloud.proxy.on(first_of_each_name(once), reply_with(spoilt))
            driver = make(new(cloud, tmp_path / str(spoilt.status)))
            assert cloud.machines() == 1
            unmake(driver)
            assert cloud.listing() == before
            if wanted := spoilt.headers.get("Retry-After"):
                assert len(pauses.asked) >= len(once)
                assert min(pauses.asked) >= float(wanted)

    def test_a_cloud_that_only_refuses_is_an_error_with_advice(self, cloud: Cloud, tmp_path: Path) -> None:
        for spoilt in (cloud.throttled, cloud.broken, Answer(200, b"<html>a login page</html>"), Answer(404)):
            cloud.proxy.clear()
            cloud.proxy.on(None, answer(spoilt.status, spoilt.body, spoilt.headers))
            with pytest.raises(PreflightFailed) as caught:
                new(cloud, tmp_path, **cloud.impatient).check()
            assert caught.value.exit_code == 3
            assert caught.value.resolution

    def test_a_slow_cloud_is_waited_for(self, cloud: Cloud, tmp_path: Path) -> None:
        cloud.proxy.on(None, delay(0.2))
        driver = make(new(cloud, tmp_path))
        unmake(driver)

    def test_a_cloud_that_never_answers(self, cloud: Cloud, tmp_path: Path) -> None:
        cloud.proxy.on(None, hang)
        began = time.monotonic()
        with pytest.raises(PreflightFailed) as caught:
            new(cloud, tmp_path, **cloud.impatient).check()
        assert time.monotonic() - began < 30
        assert caught.value.resolution

    def test_a_cloud_that_falls_silent_when_it_is_asked_for_the_machine(self, cloud: Cloud, tmp_path: Path) -> None:
        """It made the machine all the same; remove finds it."""
        before = cloud.listing()
        driver = new(cloud, tmp_path, **cloud.impatient)
        driver.check()
        driver.ctx.save(driver)
        cloud.proxy.on(cloud.making, drop_answer)
        with pytest.raises(DriverError) as caught:
            create_until_done(driver)
        assert caught.value.resolution
        assert cloud.machines() >= 1
        cloud.proxy.clear()
        unmake(again(driver))
        assert cloud.listing() == before

    def test_a_cloud_that_nobody_answers_for(self, cloud: Cloud, tmp_path: Path) -> None:
        """Nothing listens at its address any more: an error, not an exception of the SDK's."""
        driver = new(cloud, tmp_path, **cloud.impatient)
        cloud.proxy.close()
        with pytest.raises(MachineError) as caught:
            driver.check()
        assert caught.value.resolution

    @pytest.mark.slow
    def test_kill_9_after_every_call_leaves_nothing(self, cloud: Cloud, tmp_path: Path) -> None:
        """`create` is killed when the cloud has done a call and the program has not heard of it; then `rm`."""
        before = cloud.listing()
        program = Program(tmp_path / "first")
        names = calls_of_create(cloud, program)
        killed_at = [names[-1]]

        def away(after: str) -> None:
            for machine in program.names():
                program.run([sys.executable, "-m", "machine", "rm", "-y", machine], "", 120, cloud.credentials()).fine()
            assert cloud.listing() == before, f"after call {after}"
            assert program.names() == []

        away(names[-1])
        for number, name in enumerate(names[1:], 1):
            program = Program(tmp_path / f"{number}")
            killed_at += kill_at(cloud, program, number)[-1:]
            away(f"{number}, {name}")
        for name in {name for name in names if cloud.changes(name)} - set(killed_at):  # a look more moves the numbers
            program = Program(tmp_path / name.replace("/", "-"))
            assert kill_at(cloud, program, name)[-1] == name
            away(name)

    @pytest.mark.slow
    def test_the_name_is_taken(self, cloud: Cloud, tmp_path: Path) -> None:
        """A second `create NAME` asks the cloud nothing."""
        program = Program(tmp_path / "p")
        calls_of_create(cloud, program)
        second = program.run([sys.executable, "-m", "machine", *line(cloud)], "", 60, cloud.credentials())
        assert second.status == 5
        assert "create --resume dev" in second.err
        assert cloud.proxy.names() == []
        program.run([sys.executable, "-m", "machine", "rm", "-y", "dev"], "", 60, cloud.credentials()).fine()

    @pytest.mark.slow
    def test_another_account_is_not_believed(self, cloud: Cloud, tmp_path: Path) -> None:
        """Where other credentials see nothing, nothing is forgotten, made or kept; its own ones find all."""
        strangers: dict[str, str] = getattr(cloud, "strangers", dict)()
        if not strangers:
            pytest.skip("this stand-in has one account")
        before = cloud.listing()
        program = Program(tmp_path / "p")
        calls_of_create(cloud, program)
        made = cloud.listing()
        kept = (program.store / "machines" / "dev" / "secrets.json").read_text()
        for words in (["rm", "-y", "dev"], ["create", "--resume", "dev"]):
            done = program.run([sys.executable, "-m", "machine", *words], "", 60, strangers)
            assert done.status == 1, done.err
            assert "dev" in done.err
        assert program.names() == ["dev"]
        assert cloud.listing() == made
        assert (program.store / "machines" / "dev" / "secrets.json").read_text() == kept
        program.run([sys.executable, "-m", "machine", "rm", "-y", "dev"], "", 60, {}).fine()
        assert cloud.listing() == before

    @pytest.mark.slow
    def test_no_secret_is_to_be_seen(self, cloud: Cloud, tmp_path: Path) -> None:
        """Nowhere in the store but in a 0600 file; not in what is printed, not with --debug, not in `inspect`."""
        program = Program(tmp_path / "p")
        calls_of_create(cloud, program)
        cloud.proxy.clear()
        said = []
        for words in (["--debug", *line(cloud, "dev2")], ["inspect", "dev"], ["--debug", "status", "dev"]):
            cloud.proxy.on(cloud.making, answer(400, b"no"))
            done = program.run([sys.executable, "-m", "machine", *words], "", 120, cloud.credentials())
            said += [done.out, done.err]
            cloud.proxy.clear()
        cloud.proxy.on(None, answer(401, b"no"))
        done = program.run(
            [sys.executable, "-m", "machine", "--debug", "rm", "-y", "dev"], "", 120, cloud.credentials()
        )
        assert done.status == 1
        said += [done.out, done.err]
        cloud.proxy.clear()
        for path in program.place.rglob("*"):
            if path.is_file() and path.name == "secrets.json":
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
            elif path.is_file():
                said.append(path.read_bytes().decode("utf-8", "replace"))
        for secret in cloud.secrets:
            assert [text for text in said if secret in text] == []
        program.run([sys.executable, "-m", "machine", "rm", "-y", "dev", "dev2"], "", 60, cloud.credentials()).fine()

    @pytest.mark.parametrize("words", READING)
    def test_the_sdk_is_for_those_who_talk_to_the_cloud(self, cloud: Cloud, words: str, tmp_path: Path) -> None:
        import certs
        from tests.engine.servers import Files, server_context, serving

        files = Files(tmp_path / "pki")
        store = Store(str(tmp_path / "store"))
        with serving(server_context(files.server, files.ca)) as port:
            store.add("dev")
            endpoint = {"IPAddress": "127.0.0.1", "EnginePort": port}
            store.save(Record.new(store.root, "dev", cloud.driver_name, {**new(cloud, tmp_path).dump(), **endpoint}))
            client = certs.make_client(files.authority, "test")
            for name, content in (
                ("ca.pem", files.authority.cert),
                ("cert.pem", client.cert),
                ("key.pem", client.key),
            ):
                Path(store.directory("dev"), name).write_bytes(content)
            modules, output = loaded(store, words.split(), tmp_path / "report")
        assert output.strip()
        assert modules.isdisjoint(cloud.sdk)
        assert cloud.proxy.calls == []
