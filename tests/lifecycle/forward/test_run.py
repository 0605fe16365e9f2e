"""`machine forward` over a real sshd, to a double of an engine that publishes what the test says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pytest

from machine.lifecycle.forward import control, state_file
from machine.store import Record, Store
from tests.platforms import loopback_addresses
from tests.sshd import Sshd

pytestmark = loopback_addresses
HERE = "127.0.9.31"  # where ports are opened: not where the double of the machine has them


class Engine:
    """Lists containers and tells of changes as dockerd does, without TLS."""

    def __init__(self) -> None:
        self.ports: list[dict[str, Any]] = []
        self.services: list[dict[str, Any]] | None = None  # no manager of a swarm
        self.changed = Condition()
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/services"):
                    self.send_response(503 if engine.services is None else 200)
                    self.end_headers()
                    self.wfile.write(json.dumps(engine.services or {"message": "not a swarm manager"}).encode())
                    return
                self.send_response(200)
                self.end_headers()
                if not self.path.startswith("/events"):
                    self.wfile.write(json.dumps([{"Names": ["/web"], "Ports": engine.ports}]).encode())
                    return
                with engine.changed:
                    while engine.changed.wait(60):
                        self.wfile.write(b"{}\n")

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def publish(self, *ports: tuple[str, int]) -> None:
        with self.changed:
            self.ports = [{"IP": "127.0.0.1", "PublicPort": number, "Type": kind} for kind, number in ports]
            self.changed.notify_all()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def store(tmp_path: Path, sshd: Sshd, engine: Engine) -> Iterator[Store]:
    """A store with the machine `dev`; what forwards its ports ends with the test."""
    made = Store(str(tmp_path / "store"))
    made.add("dev")
    directory = Path(made.directory("dev"))
    shutil.copy(sshd.key, directory / "id_ed25519")
    (directory / "known_hosts").write_text(sshd.host_line("dev"))
    port = engine.server.server_address[1]
    driver = {"IPAddress": sshd.address, "SSHPort": sshd.port, "SSHUser": sshd.user, "EnginePort": port}
    record = Record.new(made.root, "dev", "generic", {**driver, "SSHKeyPath": str(directory / "id_ed25519")})
    record.phase = "ready"
    made.save(record)
    yield made
    control.stop(made, "dev")


def machine(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "machine", "--storage-path", store.root, "forward", *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)


def start(store: Store) -> None:
    done = machine(store, "--background", "--address", HERE, "dev")
    assert done.returncode == 0, done.stderr


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def listed(store: Store) -> dict[tuple[str, int], str]:
    """(protocol, port) -> state, as `--list --json` prints it."""
    found = json.loads(machine(store, "--list", "--json", "dev").stdout)
    return {(row["protocol"], row["port"]): row["state"] for one in found for row in one["ports"]}


def asks(port: int) -> str:
    """What comes back over a connection after all was sent, "" if nothing does."""
    try:
        with socket.create_connection((HERE, port), 10) as client:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").read().decode()
    except OSError:
        return ""


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server of the machine that answers once it has read to the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    near, _ = server.accept()
                except OSError:
                    return
                with near:
                    near.sendall(b"answer to " + near.makefile("rb").read())

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_ports_come_and_go_and_come_back_after_a_lost_link(store: Store, engine: Engine, sshd: Sshd, echo: int) -> None:
    engine.publish(("tcp", echo))
    start(store)
    until(lambda: asks(echo) == "answer to question")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.create_server((HERE, 0)) as taken:
        server.bind(("127.0.0.1", 0))
        server.settimeout(60)
        udp, other = server.getsockname()[1], taken.getsockname()[1]
        engine.publish(("tcp", echo), ("udp", udp), ("tcp", other))
        until(lambda: listed(store) == {("tcp", echo): "open", ("udp", udp): "open", ("tcp", other): "refused"})
        assert f"process {os.getpid()}) has it" in machine(store, "--list").stdout
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"question", (HERE, udp))
            data, sender = server.recvfrom(100)
            server.sendto(data + b"!", sender)
            client.settimeout(60)
            assert client.recv(100) == b"question!"
    until(lambda: listed(store)[("tcp", other)] == "open", 60)
    sshd.stop()
    _end_sessions(sshd)
    until(lambda: listed(store)[("tcp", echo)] == "waiting")
    assert asks(echo) == "", "a client is not kept waiting"
    sshd.start()
    engine.publish(("tcp", echo))
    until(lambda: listed(store) == {("tcp", echo): "open"})
    assert asks(echo) == "answer to question"
    engine.publish()
    until(lambda: listed(store) == {})
    assert asks(echo) == ""


def test_what_services_of_a_manager_publish_is_here_too(store: Store, engine: Engine, echo: int) -> None:
    engine.publish()
    start(store)
    entry = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": echo, "PublishMode": "ingress"}
    engine.services = [{"Spec": {"Name": "of-swarm"}, "Endpoint": {"Ports": [entry]}}]
    engine.publish()
    until(lambda: asks(echo) == "answer to question")
    assert "of-swarm" in machine(store, "--list").stdout
    engine.services = None  # it is a worker from now on
    engine.publish()
    until(lambda: listed(store) == {})


def _end_sessions(sshd: Sshd) -> None:
    """End the sshd of each connection to this sshd, as a lost link would: they have its log and no other mark."""
    log = os.stat(sshd.log)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "comm").read_text()
            open_files = [os.stat(link) for link in (entry / "fd").iterdir() if "sshd" in name]
        except OSError:
            continue
        if any(os.path.samestat(log, one) for one in open_files):
            os.kill(int(entry.name), signal.SIGKILL)


def test_one_that_was_killed_is_begun_anew_and_a_removed_machine_has_none(
    store: Store, engine: Engine, echo: int
) -> None:
    engine.publish(("tcp", echo))
    start(store)
    first = state_file.runner(store, "dev")
    again = machine(store, "--background", "--address", HERE, "dev")
    assert f"already (process {first})" in again.stderr
    other = machine(store, "--address", HERE, "dev")
    assert other.returncode != 0
    assert "--stop dev" in other.stderr
    os.kill(first, signal.SIGKILL)
    until(lambda: not state_file.runner(store, "dev"))
    assert listed(store) == {}, "what a killed one has left is not shown"
    start(store)
    until(lambda: asks(echo) == "answer to question")
    second = state_file.runner(store, "dev")
    words = [sys.executable, "-m", "machine", "--storage-path", store.root, "rm", "-y", "dev"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    until(lambda: not Path(f"/proc/{second}").exists())
    assert asks(echo) == ""


def test_a_machine_that_is_not_there_is_said_at_once(store: Store, sshd: Sshd) -> None:
    sshd.stop()
    done = machine(store, "--background", "--address", HERE, "dev")
    sshd.start()
    assert done.returncode != 0
    assert "cannot connect to dev" in done.stderr
    assert not state_file.runner(store, "dev")


@pytest.mark.parametrize(
    "words", [("--stop", "--list"), ("--json", "dev"), ("--address", "localhost", "dev"), ("dev", "dev2")]
)
def test_wrong_words(store: Store, words: tuple[str, ...]) -> None:
    store.add("dev2")
    assert machine(store, *words).returncode == 2
