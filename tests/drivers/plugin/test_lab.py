"""`machine create -d testcloud` to its end: the server that the plugin rents is a real host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.plugin.build import installed
from tests.drivers.plugin.driver import programs, until
from tests.drivers.plugin.fake_cloud import TOKEN, Cloud, Server
from tests.labs.nspawn import Host, Lab
from tests.program import Ended, Program

PASSWORD = "pa55-of-the-project"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """With the plugin on PATH; the token in the environment, as people have it."""
    monkeypatch.setenv("PATH", installed(tmp_path / "bin"))
    monkeypatch.setenv("TESTCLOUD_API_TOKEN", TOKEN)
    return Program(tmp_path / "p")


def bin_of(program: Program) -> Path:
    """Where its plugin is."""
    return program.place.parent / "bin"


def rents(cloud: Cloud, host: Host) -> None:
    """The next server is that host: it has the plugin's key, and no other, once it runs."""

    def boot(server: Server) -> None:
        (host.root / "root/.ssh/authorized_keys").write_text(server.asked["key"] + "\n")
        server.address = host.address

    cloud.boot = boot


def create(cloud: Cloud, program: Program, *more: str) -> list[str]:
    return ["create", *cloud.options(), "--testcloud-password", PASSWORD, *more, "dev"]


def shown_nowhere(program: Program, *ended: Ended) -> None:
    """No secret is in what was said nor in any file but the one for secrets."""
    said = "".join(one.out + one.err for one in ended)
    for path in program.place.rglob("*"):
        if path.is_file() and path.name != "secrets.json":
            said += path.read_text(errors="replace")
    for secret in (TOKEN, PASSWORD, "made-up-"):
        assert secret not in said


@pytest.mark.lab
def test_from_nothing_to_a_docker_host_and_back(
    cloud: Cloud, lab: Lab, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = lab.host("rented", engine="running")
    rents(cloud, host)
    made = program(*create(cloud, program)).fine()
    assert "Server is up" in made.err  # the plugin's own words
    shown_nowhere(program, made)
    record = json.loads((program.store / "machines/dev/config.json").read_text())
    assert (record["DriverName"], record["Driver"]["Token"]) == ("testcloud", "")
    assert record["Driver"]["Account"] == {"Project": "p", "Password": ""}
    assert not programs(bin_of(program))
    assert program("config", "dev").fine()
    assert program("ssh", "dev", "echo in").fine().out == "in\n"
    monkeypatch.setenv("TESTCLOUD_API_TOKEN", "")  # from here on it is the record's
    assert program("status", "dev").fine().out == "Running\n"
    program("stop", "dev").fine()
    assert program("status", "dev").fine().out == "Stopped\n"  # the plugin's word; its host here goes on
    program("start", "dev").fine()
    shown_nowhere(program, program("inspect", "dev"), program("--debug", "ls"))
    monkeypatch.setenv("PATH", os.environ["PATH"].partition(":")[2])  # the plugin is gone
    assert program("ip", "dev").fine().out == f"{host.address}\n"
    assert program("url", "dev").fine().out == f"tcp://{host.address}:2376\n"
    assert program("ls", "-q").fine().out == "dev\n"
    program("env", "dev").fine()
    gone = program("rm", "-y", "dev")
    assert gone.status == 1
    assert "docker-machine-driver-testcloud" in gone.err
    monkeypatch.setenv("PATH", installed(bin_of(program)))
    program("rm", "-y", "dev").fine()
    assert (cloud.servers, program.names(), programs(bin_of(program))) == ({}, [], set())


@pytest.mark.lab
def test_killed_in_the_middle_then_resumed(cloud: Cloud, lab: Lab, program: Program) -> None:
    """kill -9 while the plugin waits for its server: one server in the end, and it is a machine."""
    rents(cloud, lab.host("killed", engine="running"))
    cut_short(cloud, program, signal.SIGKILL)
    cloud.release()
    resumed = program("create", "--resume", "dev").fine()
    assert len(cloud.servers) == 1
    program("config", "dev").fine()
    shown_nowhere(program, resumed)
    program("rm", "-y", "dev").fine()
    assert not cloud.servers


def cut_short(cloud: Cloud, program: Program, number: int) -> subprocess.Popen[bytes]:
    """A create that gets the signal once its server's id is on disk; the process, ended if that was SIGKILL."""
    cloud.held = True
    argv = [sys.executable, "-m", "machine", *create(cloud, program)]
    process = subprocess.Popen(argv, env=program.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = program.store / "machines/dev/config.json"
    until(lambda: path.exists() and json.loads(path.read_text())["Driver"].get("ServerID"))
    process.send_signal(number)
    if number == signal.SIGKILL:
        process.wait()
    return process


@pytest.mark.slow
def test_killed_in_the_middle_then_removed(cloud: Cloud, program: Program) -> None:
    """Nothing is left in the account. The plugin ends with the program: nobody would write down what it makes."""
    cut_short(cloud, program, signal.SIGKILL)
    until(lambda: not programs(bin_of(program)), 3)
    assert len(cloud.servers) == 1
    program("rm", "-y", "dev").fine()
    assert not cloud.servers
    assert program.names() == []


@pytest.mark.slow
def test_ctrl_c_waits_for_the_plugin_to_say_what_it_has(cloud: Cloud, program: Program) -> None:
    """Interrupted at once on the second; the first waits until the plugin has come to an end."""
    process = cut_short(cloud, program, signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    cloud.release()
    assert process.wait(20) == 130
    record = json.loads((program.store / "machines/dev/config.json").read_text())
    assert record["Driver"]["MachinePlugin"]["Create"] == "done"
    until(lambda: not programs(bin_of(program)))
    program("rm", "-y", "dev").fine()
    process = cut_short(cloud, program, signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    program("rm", "-y", "dev").fine()
    assert not cloud.servers
    until(lambda: not programs(bin_of(program)))


@pytest.mark.slow
def test_ctrl_c_on_several_loses_no_server(cloud: Cloud, program: Program) -> None:
    """Three at once: the program's end waits for what the plugins are making, and all of it is on record."""
    cloud.held = True
    argv = [sys.executable, "-m", "machine", *create(cloud, program), "two", "three"]
    process = subprocess.Popen(argv, env=program.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(cloud.servers) == 3)
    process.send_signal(signal.SIGINT)
    time.sleep(7)  # longer than the threads are waited for
    assert process.poll() is None
    cloud.release()
    assert process.wait(20) == 130
    until(lambda: not programs(bin_of(program)))
    for name in ("dev", "two", "three"):
        record = json.loads((program.store / f"machines/{name}/config.json").read_text())
        assert record["Driver"]["MachinePlugin"]["Create"] == "done"
    program("rm", "-y", "dev", "two", "three").fine()
    assert not cloud.servers


@pytest.mark.slow
def test_what_the_plugin_refuses_is_advice_and_nothing_is_made(cloud: Cloud, program: Program) -> None:
    bad = program(*create(cloud, program), "--testcloud-api-token", "another-token")
    assert (bad.status, program.names()) == (3, [])
    assert "401" in bad.err
    unset = program(*create(cloud, program), environ={"TESTCLOUD_API_TOKEN": ""})
    assert (unset.status, program.names()) == (2, [])
    assert "--testcloud-api-token" in unset.err
    said = program("create", "-d", "testcloud", "--help").fine().out
    assert "--testcloud-size NUMBER" in said
    assert "docker-machine-driver-nowhere" in program("create", "-d", "nowhere", "x").err
    dry = program(*create(cloud, program), "--dry-run").fine()
    shown_nowhere(program, dry)
    assert not cloud.servers
