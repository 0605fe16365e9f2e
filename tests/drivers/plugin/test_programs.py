"""The programs of plugins: they are started, kept alive and ended; what is no plugin is told from one."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from machine.drivers import registry
from machine.drivers.plugin import rpc, session
from machine.drivers.plugin.driver import PluginDriver
from machine.drivers.plugin.program import Program
from machine.errors import DriverError
from tests.drivers.plugin.driver import configured, guards, programs, session_of, until
from tests.drivers.plugin.fake_cloud import Cloud

pytestmark = pytest.mark.slow


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
    first = session_of(driver)
    first.program.process.kill()
    first.program.process.wait()
    driver.check()  # a new program takes over
    second = session_of(driver)
    assert second is not first
    second.program.process.kill()
    second.program.process.wait()
    with pytest.raises(DriverError, match="ended in the middle of its work"):
        second.ask("GetMachineName")


def test_a_program_that_was_lost_is_ended_before_the_next(
    cls: type[PluginDriver], tmp_path: Path, cloud: Cloud
) -> None:
    """Else two would be at work for one machine."""
    driver, _ = configured(cls, tmp_path, cloud)
    (first,) = programs(tmp_path / "bin")
    lost = session_of(driver)
    lost.connection.close()
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
                    ended.wait(60)

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
    assert call.wait(60)
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
