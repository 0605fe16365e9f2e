"""Relays of UDP: each client gets its answer from where it has asked, and a machine answers nobody else."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which
from threading import Event, Thread

import pytest

from machine.drivers.qemu import argv, guard, paths, udp_relay
from machine.drivers.qemu.forwards import existing
from machine.drivers.qemu.qmp import Client
from machine.drivers.qemu.udp_relay import UdpRelays
from tests.drivers.qemu.network_guest import GATEWAY, Guest, datagram, qemu
from tests.drivers.qemu.test_argv import PLAIN
from tests.platforms import loopback_addresses

pytestmark = loopback_addresses
HERE, LOCALHOST = "127.84.0.79", "127.0.0.1"
needs_qemu = pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")


def _free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


PORT = _free()  # another one in each process that tests


class Monitor:
    """qemu's monitor and NAT, as far as forwards of UDP go: what arrives at a forward comes back with "re:" before."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.forwards: dict[int, socket.socket] = {}
        self.refuses = False

    def __call__(self, line: str) -> str:
        self.lines.append(line)
        verb, _, what = line.split(" ")
        port = int(what.split(":")[2].removesuffix("-"))
        if verb == "hostfwd_remove":
            self.forwards.pop(port).close()
        elif self.refuses:
            return "Could not set up\r\n"
        else:
            self.forwards[port] = made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((LOCALHOST, port))
            Thread(target=self.serve, args=(made,), daemon=True).start()
        return ""

    @staticmethod
    def serve(made: socket.socket) -> None:
        while True:
            try:
                data, sender = made.recvfrom(65535)
                made.sendto(b"re:" + data, sender)
            except OSError:
                return


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    made = Monitor()
    yield made
    for forward in made.forwards.values():
        forward.close()


@pytest.fixture
def relays(monitor: Monitor) -> Iterator[UdpRelays]:
    made = UdpRelays(monitor)
    yield made
    closed(made)


def closed(relays: UdpRelays) -> None:
    """Give back what a test has opened."""
    for address in (HERE, LOCALHOST):
        relays.close(address, PORT)


def test_no_open_file_left_is_why_a_port_is_not_open(relays: UdpRelays, monitor: Monitor) -> None:
    """The forwarder goes on with the others: it would be started again and end of the same."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as last:
        free = last.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        assert relays.open(HERE, PORT) == "Too many open files"
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, before[1]))  # for the port, and not for its forward
        assert relays.open(HERE, PORT) == "Too many open files"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert monitor.lines == []
    assert relays.open(HERE, PORT) == ""


def client(address: str, port: int = PORT) -> socket.socket:
    """A client as most are: what does not come from where it has asked it does not get."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(1)
    made.connect((address, port))
    return made


def asks(made: socket.socket, data: bytes = b"who") -> bytes:
    """What comes back for a datagram, which may be lost; b"" if nothing does."""
    for _ in range(3):
        try:
            made.send(data)
            return made.recv(65535)
        except OSError:
            continue
    return b""


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_clients_of_two_addresses_get_their_own_answers(monitor: Monitor, relays: UdpRelays) -> None:
    assert [relays.open(where, PORT) for where in (HERE, LOCALHOST)] == ["", ""]
    (line,) = monitor.lines
    assert line.startswith("hostfwd_add nat udp:127.0.0.1:")
    assert line.endswith(f"-:{PORT}")
    clients = [client(where) for where in (HERE, LOCALHOST, LOCALHOST)]
    for number, one in enumerate(clients):
        assert asks(one, b"%d" % number) == b"re:%d" % number
    assert asks(clients[0], b"x" * 60_000) == b"re:" + b"x" * 60_000
    assert len(relays.answers) == 3
    relays.close(HERE, PORT)
    assert len(relays.answers) == 2
    assert asks(clients[1]) == b"re:who"
    relays.close(LOCALHOST, PORT)
    assert relays.answers == set()
    assert monitor.lines[1] == line.partition("-:")[0].replace("hostfwd_add", "hostfwd_remove")
    relays.close(LOCALHOST, PORT)
    assert relays.open(HERE, PORT) == ""
    for one in clients:
        one.close()


def test_what_nobody_answers_does_not_end_it(monitor: Monitor, relays: UdpRelays) -> None:
    assert relays.open(HERE, PORT) == ""
    (forward,) = monitor.forwards.values()
    with client(HERE) as one:
        assert asks(one) == b"re:who"
        port = forward.getsockname()[1]
        forward.close()
        assert asks(one) == b""
        monitor.forwards[port] = again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        again.bind((LOCALHOST, port))
        Thread(target=monitor.serve, args=(again,), daemon=True).start()
        assert asks(one) == b"re:who"


def test_a_port_that_cannot_be_had_is_told(monitor: Monitor, relays: UdpRelays) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HERE, PORT))
        assert relays.open(HERE, PORT) == os.strerror(98)
    assert monitor.lines == []
    monitor.refuses = True
    assert relays.open(HERE, PORT) == "qemu says: Could not set up"
    monitor.refuses = False
    assert relays.open(HERE, PORT) == ""


def test_there_are_bounds(relays: UdpRelays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_relay, "MOST_PORTS", 1)
    monkeypatch.setattr(udp_relay, "MOST_CLIENTS", 2)
    assert relays.open(HERE, PORT) == ""
    assert "are open already" in relays.open(HERE, PORT + 1)
    assert relays.open(LOCALHOST, PORT) == "", "another address has its own"
    clients = [client(HERE) for _ in range(3)]
    for one in clients:
        assert asks(one) == b"re:who"
    assert len(relays.answers) == 2
    assert asks(clients[0]) == b"re:who", "it is known again"
    for one in clients:
        one.close()


def test_a_stranger_who_knows_the_port_of_a_client_says_nothing(relays: UdpRelays) -> None:
    assert relays.open(HERE, PORT) == ""
    with client(HERE) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        assert asks(one) == b"re:who"
        ((_, near),) = relays.answers
        stranger.sendto(b"lie", (LOCALHOST, near))
        assert asks(one) == b"re:who"


@needs_qemu
def test_with_a_real_qemu_and_after_a_killed_forwarder(tmp_path: Path) -> None:
    with qemu(tmp_path / "q") as guest, Client(str(tmp_path / "q"), timeout=20) as qmp:
        for where in (HERE, LOCALHOST):  # as an older version has it
            assert qmp.monitor(f"hostfwd_add nat udp:{where}:{PORT}-:{PORT}") == ""
        assert qmp.monitor(f"hostfwd_add nat tcp:{HERE}:{PORT}-:{PORT}") == ""
        with client(HERE) as here, client(LOCALHOST) as localhost:
            assert sorted([asks(here), asks(localhost)]) == [b"", b"re:who"], "what relays are for"
        first = UdpRelays(qmp.monitor)
        first.clear(qmp.monitor("info usernet"))
        assert first.open(HERE, PORT) == ""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOCALHOST, PORT))
        first.clear(qmp.monitor("info usernet"))  # another one, after the first was killed
        assert "UDP[HOST" not in qmp.monitor("info usernet")
        assert existing(qmp.monitor("info usernet"), HERE, ()) == {("tcp", PORT)}
        relays = UdpRelays(qmp.monitor)
        first.close(HERE, PORT)
        assert [relays.open(where, PORT) for where in (HERE, LOCALHOST)] == ["", ""]
        with client(HERE) as here, client(LOCALHOST) as localhost:
            assert [asks(here), asks(localhost), asks(here)] == [b"re:who"] * 3
        with service() as other:  # what the guard keeps a machine from
            _attack(guest, other.getsockname()[1], 1)
            other.settimeout(20)
            assert other.recv(100) == b"attack"
        assert {source for source, _, _ in guest.seen} == {GATEWAY}
        closed(relays)


@needs_qemu
def test_a_guarded_machine_answers_who_has_asked_and_nobody_else(tmp_path: Path) -> None:
    words = argv.guard_words(argv_of(tmp_path))
    with qemu(tmp_path / "q", *words) as guest, Client(str(tmp_path / "q"), timeout=20) as qmp:
        relays = UdpRelays(qmp.monitor)
        guard.renew(qmp)
        frames, back = (str(tmp_path / name) for name in (paths.GUARD_OUT, paths.GUARD_IN))
        ended = Event()
        guard.start(frames, back, ended.set, time.sleep, relays.answers)
        assert [relays.open(where, PORT) for where in (HERE, LOCALHOST)] == ["", ""]
        with client(HERE) as here, client(LOCALHOST) as localhost, service() as other:
            assert [asks(here), asks(localhost)] == [b"re:who"] * 2
            near = min(port for _, port in relays.answers)
            _attack(guest, other.getsockname()[1], near)
            assert asks(localhost) == b"re:who"
            other.settimeout(0.5)
            with pytest.raises(TimeoutError):
                other.recvfrom(100)
        closed(relays)
    until(ended.is_set)


def argv_of(directory: Path) -> argv.Machine:
    return replace(PLAIN, guarded=True, directory=str(directory), sockets=str(directory))


def service() -> socket.socket:
    """What listens on the loopback of this host."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((LOCALHOST, 0))
    return made


def _attack(guest: Guest, service_port: int, near: int) -> None:
    """From the published port and others to a service of the host, and from another port to a client's socket."""
    for source in (PORT, 53, near):
        guest.send(datagram(source, GATEWAY, service_port, b"attack"))
    guest.send(datagram(PORT + 1, GATEWAY, near, b"attack"))
