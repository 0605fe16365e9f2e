"""The engine client against a real dockerd behind --tlsverify."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.engine import EngineClient, Tls, ask_many
from machine.errors import EngineError, EngineRefused, EngineTimeout, EngineUntrusted
from tests.engine.servers import Files
from tests.sshd import free_port

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="dockerd needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd (package docker.io)"),
]


class Dockerd:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = Files(directory / "certs")
        self.port = free_port()
        self.log = directory / "log"
        cert, key = self.files.server
        argv = [
            "dockerd", "--data-root", str(directory / "data"), "--exec-root", str(directory / "exec"),
            "--pidfile", str(directory / "pid"), "-H", f"tcp://127.0.0.1:{self.port}", "--tlsverify",
            "--tlscacert", self.files.ca, "--tlscert", cert, "--tlskey", key,
            "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs", "--config-file",
            str(directory / "daemon.json"),
        ]  # fmt: skip
        (directory / "daemon.json").write_text("{}")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                EngineClient("127.0.0.1", self.port, self.files.tls, timeout=5).ping()
            except EngineError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise AssertionError(f"{error}: {error.details}\n{self.log.read_text()[-3000:]}") from None
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Dockerd]:
    directory = Path(
        tempfile.mkdtemp(prefix="machine-dockerd-", dir="/var/tmp")
    )  # exec-root: paths of sockets are short
    server = None
    try:
        server = Dockerd(directory)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def test_version_is_what_dockerd_says(dockerd: Dockerd) -> None:
    engine = EngineClient("127.0.0.1", dockerd.port, dockerd.files.tls)
    line = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=True).stdout
    assert f"version {engine.version()['Version']}," in line
    assert engine.ping() == engine.version()["ApiVersion"]


def test_info_and_lists_in_the_negotiated_version(dockerd: Dockerd) -> None:
    engine = EngineClient("127.0.0.1", dockerd.port, dockerd.files.tls)
    assert engine.info()["DockerRootDir"] == str(dockerd.directory / "data")
    assert engine.get("/containers/json?all=1") == []
    with pytest.raises(EngineError, match="answered 404") as caught:
        engine.get("/containers/none/json")
    assert caught.value.details == "No such container: none"


def test_things_are_made_and_removed(dockerd: Dockerd) -> None:
    engine = EngineClient("127.0.0.1", dockerd.port, dockerd.files.tls)
    assert engine.post("/volumes/create", {"Name": "made-here", "Labels": {"a": "b"}})["Labels"] == {"a": "b"}
    assert engine.post("/volumes/prune")["VolumesDeleted"] in (None, [], ["made-here"])
    engine.post("/volumes/create", {"Name": "made-here"})
    engine.delete("/volumes/made-here")
    with pytest.raises(EngineRefused, match="answered 404") as caught:
        engine.delete("/volumes/made-here")
    assert caught.value.status == 404
    assert "made-here" in caught.value.details


@pytest.mark.parametrize("client", ["none", "foreign", "expired"])
def test_dockerd_refuses_other_clients(dockerd: Dockerd, client: str, tmp_path: Path) -> None:
    files = dockerd.files
    if client == "none":
        with pytest.raises(EngineUntrusted, match="speaks TLS only"):
            EngineClient("127.0.0.1", dockerd.port, None).ping()
        return
    foreign = Files(tmp_path / "foreign").tls
    tls = files.expired() if client == "expired" else Tls(files.ca, foreign.cert, foreign.key)
    with pytest.raises(EngineUntrusted, match="does not accept our client certificate"):
        EngineClient("127.0.0.1", dockerd.port, tls).ping()


def test_a_frozen_dockerd_is_a_timeout(dockerd: Dockerd) -> None:
    os.kill(dockerd.process.pid, 19)
    try:
        with pytest.raises(EngineTimeout):
            EngineClient("127.0.0.1", dockerd.port, dockerd.files.tls, timeout=0.5).ping()
    finally:
        os.kill(dockerd.process.pid, 18)


def test_a_hundred_questions_at_once(dockerd: Dockerd) -> None:
    engines = [EngineClient("127.0.0.1", dockerd.port, dockerd.files.tls, timeout=20) for _ in range(100)]
    answers = ask_many(engines)
    assert [a.error for a in answers if a.error] == []
    assert len({json.dumps(a.version, sort_keys=True) for a in answers}) == 1
