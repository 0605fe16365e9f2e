"""A plugin in Go, driven as the command line drives it, against the service it rents from."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine.drivers import registry
from machine.drivers.plugin import rpc, session
from machine.drivers.plugin.document import NOTES
from machine.drivers.plugin.driver import PluginDriver
from machine.drivers.plugin.program import Program
from machine.errors import DriverError, Interrupted, MachineError, PreflightFailed, StoreError, UsageError
from machine.model import Endpoint, State, Verb
from machine.options import Option, resolve
from machine.wait import SystemClock
from tests.drivers import contexts
from tests.drivers.plugin.build import installed
from tests.drivers.plugin.fake_cloud import TOKEN, Cloud

pytestmark = pytest.mark.slow

SECRETS = {
    "testcloud-api-token": TOKEN,
    "testcloud-password": "pa55-of-the-project",
    "testcloud-user-pass": "pa55-of-the-user",
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()


@pytest.fixture
def cls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[PluginDriver]]:
    """The driver class of the plugin, found on PATH; no program is left behind."""
    monkeypatch.setenv("PATH", installed(tmp_path / "bin", "testcloud", "testcloud-old"))
    monkeypatch.setenv("TESTCLOUD_TAGS", "from,the variable")
    found = registry.find("testcloud")
    assert issubclass(found, PluginDriver)
    yield found
    session.close_all()


def configured(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud, **more: Any) -> tuple[PluginDriver, list[Any]]:
    """The driver of a new machine, and the list of what it saves."""
    saved: list[dict[str, Any]] = []
    given = {"testcloud-endpoint": cloud.url, **SECRETS, **{name.replace("_", "-"): more[name] for name in more}}
    return cls.configure(contexts.real(tmp_path, saved=saved), resolve(cls.traits.options, given)), saved


def programs(place: Path) -> set[int]:
    """The processes that run a plugin from the directory `place`; other tests have theirs elsewhere."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/exe"):
        try:
            if Path(os.readlink(entry)).parent == place:
                found.add(int(entry.parent.name))
        except OSError:
            continue
    return found


def guards() -> set[int]:
    """The shells of this process that would end a plugin."""
    found = set()
    for task in Path("/proc/self/task").glob("*/children"):
        for pid in map(int, task.read_text().split()):
            with contextlib.suppress(OSError):
                if b"kill -KILL" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(pid)
    return found


def failing(driver: PluginDriver) -> None:
    with pytest.raises(MachineError):
        driver.create()


def until(holds: Any, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_its_flags_are_options(cls: type[PluginDriver]) -> None:
    by_name = {option.name: option for option in cls.traits.options}
    assert by_name["testcloud-size"] == Option("testcloud-size", "int", "TESTCLOUD_SIZE", 2, "processors")
    assert by_name["testcloud-tag"].kind == "list"
    assert by_name["testcloud-protected"].kind == "bool"
    assert {option.name for option in cls.traits.options if option.secret} == set(SECRETS)


def test_the_life_of_a_machine(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """As lifecycle does it: configure, then each step with a driver loaded from the record, in one process."""
    driver, saved = configured(cls, tmp_path, cloud, testcloud_note="words", testcloud_size=3)
    driver.check()
    assert driver.state() is State.MISSING
    assert not cloud.servers
    driver = cls.load(driver.ctx, driver.dump())
    driver.create()
    driver.create()
    (server,) = cloud.servers.values()
    assert server.asked["root"] == "made-up-" + "x" * 20  # by the check, before the record was written
    assert server.asked["note"] == "words/pa55-of-the-user"  # known to the program only, not to its JSON
    assert (server.asked["size"], server.asked["tags"]) == (3, ["from", "the variable"])
    assert server.asked["key"].startswith("ssh-rsa ")
    last = saved[-1]
    assert (last["ServerID"], last["IPAddress"], last[NOTES]["Create"]) == (server.id, "127.0.0.1", "done")
    assert Path(last["SSHKeyPath"]).read_text().startswith("-----BEGIN RSA PRIVATE KEY")
    session.close_all()  # a later command, hence another process
    later = cls.load(driver.ctx, {**last, "FromTheFuture": 1})
    assert later.dump() == {**last, "FromTheFuture": 1}
    assert later.state() is State.RUNNING
    assert later.endpoint() == Endpoint("127.0.0.1", "root", 22)
    for verb, state in ((Verb.STOP, State.STOPPED), (Verb.START, State.RUNNING), (Verb.KILL, State.STOPPED)):
        later.power(verb)
        later.power(verb)
        assert later.state() is state
    asked = [line.rpartition("/")[2] for line in cloud.asked if line.endswith(("/start", "/stop"))]
    assert asked == ["stop", "start", "stop"]
    later.remove()
    later.remove()
    assert not cloud.servers


def test_a_record_of_docker_machine_is_kept_whole(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    driver.create()
    theirs = {key: value for key, value in driver.data.items() if key != NOTES and not key.startswith("--")}
    session.close_all()
    again = cls.load(driver.ctx, {**theirs, "Unknown": {"kept": 1.5}})
    assert again.state() is State.RUNNING
    assert again.endpoint() is not None
    again.power(Verb.STOP)
    assert again.dump() == {**theirs, "Unknown": {"kept": 1.5}}
    assert cls.secret_options(again.dump()) == ()
    again.remove()
    assert not cloud.servers


def test_secrets_have_keys_of_their_own(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """By value, wherever the plugin's JSON has them: at the top, in an object, or not at all."""
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    driver = cls.load(driver.ctx, driver.dump())
    driver.create()
    dump = driver.dump()
    keys = {option.name: option.key for option in cls.secret_options(dump)}
    assert dump.pop(keys.pop("")) == "made-up-" + "x" * 20  # the plugin's own, known by its name
    assert keys == {
        "testcloud-api-token": "Token",
        "testcloud-password": "Account.Password",
        "testcloud-user-pass": "--testcloud-user-pass",
    }
    kept = {key: dump.pop(key) for key in keys.values()}
    assert kept == {keys[name]: value for name, value in SECRETS.items()}
    assert not any(value in json.dumps(dump) for value in SECRETS.values())
    assert cls.load(driver.ctx, {**dump, **kept}).data["Account"] == {"Project": "p", "Password": "pa55-of-the-project"}


def test_refusals_are_advice(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="requires --testcloud-api-token") as refused:
        configured(cls, tmp_path, cloud, testcloud_api_token="")
    assert "machine create -d testcloud --help" in refused.value.resolution
    driver, _ = configured(cls, tmp_path, cloud, testcloud_api_token="wrong")
    with pytest.raises(PreflightFailed, match="401"):
        driver.check()
    with pytest.raises(UsageError, match="64 bits"):
        configured(cls, tmp_path, cloud, testcloud_size=1 << 70)
    driver, saved = configured(cls, tmp_path, cloud, testcloud_note="panic", testcloud_user_pass="")
    driver.check()
    with pytest.raises(DriverError, match="could not create contract: panic in the driver: on demand") as panic:
        driver.create()
    assert panic.value.details == "with a second line"
    assert saved[-1][NOTES]["Create"] == "begun"
    cloud.full = True
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    with pytest.raises(DriverError, match="503"):
        driver.create()
    driver.remove()


def test_ids_are_on_record_while_it_creates(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """What a kill -9 in the middle would leave is enough to remove the server."""
    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    worker = threading.Thread(target=driver.create)
    worker.start()
    try:
        until(lambda: saved and saved[-1].get("ServerID"))
        assert saved[-1][NOTES]["Create"] == "begun"
        left = json.loads(json.dumps(saved[-1]))
    finally:
        cloud.release()
        worker.join()
    session.close_all()
    cls.load(driver.ctx, left).remove()
    assert not cloud.servers


@pytest.mark.parametrize("there", [True, False])
def test_a_cut_short_create_is_gone_on_with_or_begun_anew(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud, there: bool
) -> None:
    """With what is on record: one server in the end, made with all the flags of the first try."""
    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud, testcloud_note="again")
    driver.check()
    worker = threading.Thread(target=failing, args=(driver,))
    worker.start()
    until(lambda: saved and saved[-1].get("ServerID"))
    assert driver._session is not None
    driver._session.program.process.kill()
    worker.join()
    left = json.loads(json.dumps(saved[-1]))
    if there:
        cloud.release()
        left["IPAddress"] = "127.0.0.1"  # a plugin that learns it before the end of Create
    else:
        cloud.held = False
        cloud.servers[left["ServerID"]].state = "failed"
    again = cls.load(driver.ctx, left)
    again.create()
    (server,) = cloud.servers.values()
    assert (server.id == left["ServerID"]) is there
    assert server.asked["note"] == "again/pa55-of-the-user"
    assert saved[-1][NOTES]["Create"] == "done"
    assert saved[-1]["ServerID"] == server.id


def test_a_create_that_never_got_anywhere_is_begun_anew(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """The plugin panics when it is asked about a server that it has not made."""
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    driver.data[NOTES]["Create"] = "begun"
    left = driver.dump()
    session.close_all()
    with pytest.raises(DriverError, match="ended in the middle of its work") as crash:
        cls.load(driver.ctx, left).state()
    assert crash.value.details.startswith("panic: ")
    cls.load(driver.ctx, left).create()
    assert len(cloud.servers) == 1
    assert saved[-1][NOTES]["Create"] == "done"


def test_a_disk_that_is_full_for_a_while_loses_no_server(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """The plugin is not given up in the middle, and what could not be written is written later."""
    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    refused: list[str] = []
    save = driver.ctx.save

    def full(saving: Any) -> None:
        if saving.data.get("ServerID") and len(refused) < 2:
            refused.append(json.dumps(saving.data))
            raise StoreError("no space left")
        save(saving)

    driver.ctx = replace(driver.ctx, save=full)
    worker = threading.Thread(target=driver.create)
    worker.start()
    try:
        until(lambda: saved and saved[-1].get("ServerID"))
        assert len(refused) == 2
        assert saved[-1][NOTES]["Create"] == "begun"
    finally:
        cloud.release()
        worker.join()
    assert saved[-1][NOTES]["Create"] == "done"
    assert list(cloud.servers) == [saved[-1]["ServerID"]]


def test_a_disk_that_stays_full_is_no_reason_to_forget(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    save = driver.ctx.save

    def full(saving: Any) -> None:
        if saving.data.get("ServerID"):
            raise StoreError("no space left")
        save(saving)

    driver.ctx = replace(driver.ctx, save=full)
    with pytest.raises(StoreError, match="no space") as caught:
        driver.create()
    assert "the plugin has made contract" in caught.value.details
    assert not saved[-1].get("ServerID")
    driver.remove()
    assert not cloud.servers


def test_what_a_removed_server_left_in_the_record_is_not_told_again(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud
) -> None:
    """Killed between the removal and the next Create: a record that says both, no server and which one it was."""
    driver, saved = configured(cls, tmp_path, cloud)
    driver.check()
    driver.create()
    driver.remove()
    assert saved[-1]["ServerID"]
    assert saved[-1][NOTES]["Create"] == ""
    session.close_all()
    saved.append(json.loads(json.dumps(saved[-1])))
    again = cls.load(driver.ctx, saved[-1])
    cloud.full = True
    failing(again)
    assert saved[-1][NOTES]["Create"] == "begun"
    assert not saved[-1]["ServerID"]
    assert saved[-1]["Token"] == TOKEN


def test_a_removal_that_fails_says_how_to_give_up(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    driver.create()
    cloud.servers.clear()
    with pytest.raises(DriverError, match="404") as refused:
        driver.remove()
    assert "machine rm -f contract" in refused.value.resolution


def test_killed_before_create_nothing_is_removed(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    driver.check()
    session.close_all()
    left = cls.load(driver.ctx, driver.dump())
    left.remove()
    assert left.state() is State.MISSING
    left.create()
    assert len(cloud.servers) == 1


def test_an_interrupted_create_lets_the_plugin_come_to_an_end(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud
) -> None:
    class Stopped(SystemClock):
        def sleep(self, seconds: float) -> None:
            threading.Timer(0.3, cloud.release).start()
            raise Interrupted("interrupted")

    cloud.held = True
    driver, saved = configured(cls, tmp_path, cloud)
    driver.ctx = replace(driver.ctx, clock=Stopped())
    driver.check()
    with pytest.raises(Interrupted):
        driver.create()
    assert saved[-1][NOTES]["Create"] == "done"
    assert saved[-1]["IPAddress"] == "127.0.0.1"


def test_two_machines_are_two_programs_which_end(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    first, _ = configured(cls, tmp_path / "1", cloud)
    second, _ = configured(cls, tmp_path / "2", cloud)
    assert len(programs(tmp_path / "bin")) == 2
    first.check()
    second.check()
    session.close_all()
    assert not programs(tmp_path / "bin")


def test_it_is_kept_alive_and_ends_by_itself(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    """It ends itself after ten seconds without a beat, so it outlives those with one."""
    driver, _ = configured(cls, tmp_path, cloud)
    before = guards()
    assert len(before) == 1
    orphan = Program(cls.path, cls.traits.name, os.environ, lambda line: None)
    assert len(programs(tmp_path / "bin")) == 2
    assert orphan.process.wait(15) == 1
    driver.check()
    orphan.end()
    assert guards() == before
    session.close_all()
    assert not guards() & before


def test_a_plugin_that_dies_says_why(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    driver, _ = configured(cls, tmp_path, cloud)
    assert driver._session is not None
    driver._session.program.process.kill()
    driver._session.program.process.wait()
    driver.check()  # a new program takes over
    driver._session.program.process.kill()
    driver._session.program.process.wait()
    with pytest.raises(DriverError, match="ended in the middle of its work"):
        driver._session.ask("GetMachineName")


def test_a_program_that_was_lost_is_ended_before_the_next(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud
) -> None:
    """Else two would be at work for one machine."""
    driver, _ = configured(cls, tmp_path, cloud)
    (first,) = programs(tmp_path / "bin")
    lost = driver._session
    assert lost is not None
    lost._connection.close()
    until(lambda: not lost.alive)
    driver.check()
    (second,) = programs(tmp_path / "bin")
    assert first != second


def test_its_words_go_to_progress(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    said: list[str] = []
    driver, _ = configured(cls, tmp_path, cloud)
    driver.ctx = replace(driver.ctx, log=said.append)
    driver = cls.load(driver.ctx, driver.dump())
    driver.check()
    driver.create()
    session.close_all()
    assert "Server is up" in said
    assert not any("debugging" in line for line in said)


def test_the_service_of_2015(cls: type[PluginDriver], tmp_path: Path, cloud: Cloud) -> None:
    old = registry.find("testcloud-old")
    assert issubclass(old, PluginDriver)
    driver, _ = configured(old, tmp_path, cloud)
    assert driver._session is not None
    assert driver._session.service == "RpcServerDriver"


@pytest.mark.parametrize("name", ["", "no-such", "../bin/testcloud", "a b", "test*"])
def test_other_names_are_no_drivers(cls: type[PluginDriver], name: str) -> None:
    with pytest.raises(DriverError) as refused:
        registry.find(name)
    assert "testcloud" in refused.value.details


SCRIPTS = {
    "silent": "exit 0",
    "talks": "echo hello; echo why >&2; exec sleep 60",
    "elsewhere": "echo 192.0.2.1:80; exec sleep 60",
    "nobody": "echo 127.0.0.1:1; exec sleep 60",
    "killed": "kill -9 $$",
    "flood": "tr '\\0' x </dev/zero | head -c 3000000; exec sleep 60",
}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_program_that_is_no_plugin(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / f"docker-machine-driver-{name}"
    place.write_text(f"#!/bin/sh\n{SCRIPTS[name]}\n")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    with pytest.raises(DriverError) as refused:
        assert registry.find(name).traits.options
    assert time.monotonic() - began < 5
    assert str(place) in refused.value.brief
    assert str(place) in refused.value.resolution, "the cure names it too"
    place.chmod(0o644)
    with pytest.raises(DriverError, match="there is no driver"):
        registry.find(name)


NO_PROGRAMS = {
    "text": b"this is no program\n",
    "empty": b"",
    "arm64": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(100),
    "interpreter": b"#!/nonexistent/interpreter\n",
}


@pytest.mark.parametrize("name", sorted(NO_PROGRAMS))
def test_a_file_that_is_no_program(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / f"docker-machine-driver-{name}"
    place.write_bytes(NO_PROGRAMS[name])
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DriverError) as refused:
        assert registry.find(name).traits.options
    assert str(place) in refused.value.brief
    assert str(place) in refused.value.resolution


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "does not answer within"),
        (b"", "closes the connection"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "refuses Go's net/rpc"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "refuses"),
        (b"x" * 5000, "does not speak"),
        (b"HTTP/1.0 200 Connected to Go RPC\n\n", "did not answer GetVersion"),
    ],
)
def test_a_server_that_speaks_something_else(
    answer: bytes | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each message names the plugin and what to do."""
    monkeypatch.setattr(rpc, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(session, "GREET_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = tmp_path / "docker-machine-driver-odd"
        place.write_text(f"#!/bin/sh\necho 127.0.0.1:{server.getsockname()[1]}; exec sleep 60\n")
        place.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        ended = threading.Event()

        def serve() -> None:
            link, _ = server.accept()
            with link:
                link.recv(100)
                if answer is not None:
                    link.sendall(answer)
                if answer is None or b" 200 " in answer:
                    ended.wait(10)

        worker = threading.Thread(target=serve)
        worker.start()
        with pytest.raises(DriverError) as refused:
            assert registry.find("odd").traits.options
        ended.set()
        worker.join()
    assert said in refused.value.brief
    assert str(place) in refused.value.brief
    assert str(place) in refused.value.resolution


def asked(port: int) -> None:
    """One call, to its end."""
    call = rpc.Connection("127.0.0.1", port).start("Service.Method")
    assert call.wait(10)
    call.result()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.0 200 Connected to Go RPC\n\n\x03\xff\xff\xff",
        b"HTTP/1.0 200 Connected to Go RPC\n\n\x03\x04\x00\x02\x03\x04\x00\x02",
        b"x" * 5000,
    ],
)
def test_whatever_answers_a_call_ends(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            link, _ = server.accept()
            with link:
                link.recv(100)
                link.sendall(answer)
                if b" 200 " in answer:
                    link.recv(1000)

        worker = threading.Thread(target=serve)
        worker.start()
        with pytest.raises(rpc.Lost):
            asked(server.getsockname()[1])
        worker.join()
