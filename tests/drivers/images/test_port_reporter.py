"""The program inside a machine: what it reports, which rules it makes, and when it sets the clock."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from machine.drivers.images import port_relay, port_reporter, port_reporter_unit

ANY4, ANY6 = port_reporter.ANY4, port_reporter.ANY6


def of(address: str) -> str:
    """As /proc/net/tcp writes it on the processors that there are."""
    return bytes(reversed(socket.inet_aton(address))).hex().upper()


def report(*found: tuple[str, str, int, str], six: tuple[int, ...] = ()) -> dict[str, object]:
    return port_reporter.report(found, lambda protocol, port, inode: port in six)


def test_what_is_open() -> None:
    seen = report(
        ("tcp", ANY4, 22, "1"), ("tcp", ANY6, 22, "2"), ("tcp", ANY6, 2376, "3"), ("tcp", of("127.0.0.1"), 9, "4")
    )
    assert seen == {
        "open": [("tcp", 22), ("tcp", 2376)],
        **{key: [] for key in ("bound", "local", "local6", "six")},
        "engine": "3",
    }


def test_ports_at_the_addresses_of_machines() -> None:
    seen = report(
        ("tcp", of("127.84.7.1"), 8080, "1"), ("udp", of("10.0.2.15"), 53, "2"), ("tcp", of("10.84.7.1"), 1, "3")
    )
    assert (seen["open"], seen["bound"]) == ([("udp", 53)], [("tcp", "127.84.7.1", 8080)])


def test_ports_for_ipv6_only_are_told_apart() -> None:
    both = ("tcp", ANY4, 80, "1"), ("tcp", ANY6, 80, "2")
    seen = report(*both, ("tcp", ANY6, 8082, "3"), ("tcp", ANY6, 8083, "4"), six=(80, 8082))
    assert (seen["open"], seen["six"]) == ([("tcp", 80), ("tcp", 8083)], [("tcp", 8082)])


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp6"), reason="no IPv6 here")
def test_the_kernels_own_tables_and_ss() -> None:
    questions = port_reporter.Questions()
    for dual, wanted in ((True, False), (False, True)):
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=dual) as server:
            port = server.getsockname()[1]
            inode = next(inode for kind, _, number, inode in port_reporter.sockets() if (kind, number) == ("tcp", port))
            assert inode == str(os.fstat(server.fileno()).st_ino)
            assert questions.only_six("tcp", port, inode) is wanted


def test_rules() -> None:
    bound = [("tcp", 8080, "127.84.7.1", 8081)]
    assert [
        "-A",
        port_reporter.CHAIN,
        "-p",
        "tcp",
        "--dport",
        "8080",
        "-j",
        "DNAT",
        "--to-destination",
        "127.84.7.1:8081",
    ] in list(port_reporter.rules(bound))
    assert ["-I", "PREROUTING", "-d", port_reporter.INSIDE, "-j", port_reporter.CHAIN] not in list(
        port_reporter.rules([])
    )


class Times:
    """The host's clock and the machine's, in seconds; every look at the host's is a tenth later."""

    def __init__(self) -> None:
        self.host, self.running, self.put = 1_000_000.0, 50.0, list[float]()

    def clock(self) -> port_reporter.Clock:
        return port_reporter.Clock(lambda: int(self.host), lambda: self.running, self.put.append, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.host += seconds
        self.running += seconds


@pytest.mark.parametrize("jump", [300.0, 3.5, -7200.0])
def test_a_standstill_is_made_up_for(jump: float) -> None:
    times = Times()
    clock = times.clock()
    times.sleep(1)
    assert not clock.look()
    times.host += jump
    times.sleep(1)
    assert clock.look()
    assert abs(times.put[-1] - times.host) < 0.2, "to the point, at the beginning of a second"
    times.sleep(1)
    assert not clock.look(), "once"


def test_an_ordinary_day() -> None:
    times = Times()
    clock = times.clock()
    for seconds in [0.5] * 40 + [30.0, 1.4, 0.1, 600.0]:
        times.sleep(seconds)
        assert not clock.look()
    assert times.put == []


def test_a_machine_without_such_a_clock() -> None:
    clock = port_reporter.Clock(lambda: None, lambda: 0.0, lambda _: pytest.fail("set"), lambda _: None)
    assert not clock.look()


def test_it_needs_nothing_but_python() -> None:
    said = subprocess.run(
        [sys.executable, "-SE", "-c", port_reporter_unit.SCRIPT.replace("__main__", "x")], check=False, timeout=30
    )
    assert said.returncode == 0
    assert "machine" not in [
        line.split()[1] for line in port_reporter_unit.SCRIPT.splitlines() if line.startswith(("import ", "from "))
    ]


@pytest.mark.parametrize("start", ["0", "2"])
def test_addresses_are_randomized_once_the_engine_is_up(tmp_path: Path, start: str) -> None:
    switch = tmp_path / "randomize_va_space"
    switch.write_text(f"{start}\n")
    randomization = port_reporter.Randomization(str(switch))
    randomization.look("")
    assert switch.read_text() == f"{start}\n"
    randomization.look("4711")
    assert switch.read_text().strip() == "2"
    switch.write_text("1\n")
    randomization.look("4712")
    assert switch.read_text() == "1\n", "what the user chose later stays"


def test_addresses_are_randomized_without_an_engine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = tmp_path / "randomize_va_space"
    switch.write_text("0\n")
    randomization = port_reporter.Randomization(str(switch))
    monkeypatch.setattr(port_reporter, "UNRANDOMIZED", -1.0)
    randomization.look("")
    assert switch.read_text() == "2"


def test_a_kernel_without_that_switch(tmp_path: Path) -> None:
    port_reporter.Randomization(str(tmp_path / "none")).look("4711")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("containers", [0, 1])
def test_the_service_randomizes_before_the_engine_starts_containers(tmp_path: Path, containers: int) -> None:
    """The command of the unit, with other paths."""
    line = next(line for line in port_reporter_unit.SERVICE.splitlines() if line.startswith("ExecStartPre="))
    kept, switch = tmp_path / "containers", tmp_path / "switch"
    for number in range(containers):
        (kept / f"container{number}").mkdir(parents=True)
    command = line.partition("=")[2].lstrip("-")
    command = command.replace("/var/lib/docker/containers", str(kept)).replace(
        port_reporter_unit.RANDOMIZE, str(switch)
    )
    subprocess.run(shlex.split(command), check=True, timeout=30)
    assert switch.exists() == bool(containers)
    assert "Before=docker.service" in port_reporter_unit.SERVICE


def test_what_is_published_at_loopback_is_told_and_nothing_else_of_it() -> None:
    six = "0" * 24 + "01000000"
    found = [
        ("tcp", of("127.0.0.1"), 8099, "container"),
        ("tcp", six, 8098, "container"),
        ("tcp", of("127.0.0.1"), 9, "other"),
        ("udp", of("127.0.0.53"), 53, "container"),
        *[("tcp", ANY4, 80, "1"), ("tcp", of("127.0.0.1"), 80, "container")],
    ]
    seen = port_reporter.report(found, lambda *_: False, lambda inode: inode == "container")
    assert (seen["local"], seen["local6"]) == ([("tcp", 8098), ("tcp", 8099)], [("tcp", 8098)])
    assert seen["open"] == [("tcp", 80)]


def test_the_publisher_of_a_socket_is_its_process(tmp_path: Path) -> None:
    for pid, name, inode in (("10", "docker-proxy", "11"), ("12", "python3", "13")):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "comm").write_text(f"{name}\n")
        (tmp_path / pid / "fd" / "3").symlink_to(f"socket:[{inode}]")
    (tmp_path / "14").mkdir()  # it is ending
    publishers = port_reporter.Publishers(str(tmp_path))
    assert publishers.published("11")
    assert not publishers.published("13")


def test_a_relay_leads_to_what_is_open_for_ipv6_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sockets of TCP and UDP at ::1, reached over the port to which the rule leads."""
    monkeypatch.setitem(sys.modules, "port_relay", port_relay)
    put: list[list[tuple[str, int, str, int]]] = []
    leads = port_reporter.Leads(put.append)
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(("::1", 0))
        tcp, udp = server.getsockname()[1], datagrams.getsockname()[1]
        now = {"open": [], "bound": [], "local": [("tcp", tcp)], "local6": [("tcp", tcp)], "engine": ""}
        told = leads.follow({**now, "six": [("udp", udp)]})
        assert (told["local"], told["open"], told["six"]) == ([("tcp", tcp)], [("udp", udp)], [])
        ways = {(kind, port): (where, own) for kind, port, where, own in put[-1]}
        with socket.create_connection(ways["tcp", tcp], 10) as client:
            far, _ = server.accept()
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            assert far.makefile("rb").read() == b"question", "the end of what is sent is passed on"
            far.sendall(b"answer")
            far.close()
            assert client.makefile("rb").read() == b"answer"
        for number in range(3):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.sendto(b"%d" % number, ways["udp", udp])
                data, sender = datagrams.recvfrom(100)
                datagrams.sendto(data + b"!", sender)
                assert client.recv(100) == b"%d!" % number
        assert leads.follow({**now, "local": [], "local6": [], "six": []})["open"] == []
        assert put[-1] == []
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(ways["tcp", tcp], 10)


def test_without_the_relay_ports_for_ipv6_only_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "port_relay", None)
    now = {"open": [], "bound": [], "local": [("tcp", 2)], "local6": [("tcp", 2)], "six": [("tcp", 1)], "engine": ""}
    told = port_reporter.Leads(lambda _: None).follow(now)
    assert (told["open"], told["local"], told["six"]) == ([], [], [("tcp", 1)])
