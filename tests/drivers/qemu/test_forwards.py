"""Forwards at one address: what is opened, what cannot be had, and what is on localhost."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import forwarded_ports
from machine.drivers.qemu import forwarder, forwards
from machine.drivers.qemu.forwards import Forwards
from machine.drivers.qemu.udp_relay import UdpRelays
from tests.platforms import loopback_addresses

ADDRESS = "127.84.0.78"


class Monitor:
    """qemu's monitor, as far as forwards go: `refuses` are ports that cannot be had."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.refuses: set[int] = set()

    def __call__(self, line: str) -> str:
        self.lines.append(line)
        if line.startswith("hostfwd_add") and any(f":{port}-" in line for port in self.refuses):
            return "Could not set up host forwarding rule"
        return ""


class Relays(UdpRelays):
    """Relays of UDP that only say what they are told, among the lines of the monitor."""

    def __init__(self, monitor: Callable[[str], str]) -> None:
        self.monitor = monitor

    def open(self, address: str, port: int) -> str:
        return self.monitor(f"open udp {address} {port}")

    def close(self, address: str, port: int) -> None:
        self.monitor(f"close udp {address} {port}")


def made(monitor: Callable[[str], str], address: str, say: Callable[[str], None], **named: Any) -> Forwards:
    """Forwards whose relays say what they do to the monitor."""
    return Forwards(monitor, address, say, relays=Relays(monitor), **named)


class Now:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def nobody(address: str, number: int, kind: str) -> tuple[str, str]:
    """Nothing is in the way of any port."""
    return "", ""


def test_ports_come_and_go() -> None:
    monitor, said = Monitor(), list[str]()
    opened = made(monitor, ADDRESS, said.append, why=nobody)
    opened.follow({("tcp", 8080), ("udp", 53)})
    opened.follow({("tcp", 8080), ("udp", 53)})
    opened.follow({("tcp", 8080)})
    assert monitor.lines == [
        f"hostfwd_add nat tcp:{ADDRESS}:8080-:8080",
        f"open udp {ADDRESS} 53",
        f"close udp {ADDRESS} 53",
    ]
    assert len(said) == 3


@loopback_addresses
def test_a_port_that_cannot_be_had_is_said_once_and_tried_again() -> None:
    monitor, said, now = Monitor(), list[str](), Now()
    monitor.refuses = {18080}
    opened = made(monitor, ADDRESS, said.append, now=now)
    for _ in range(3):
        opened.follow({("tcp", 18080)})
    assert len(monitor.lines) == len(said) == 1
    assert "qemu says: Could not set up" in said[0], "the port is free here and now, and an ordinary user may open it"
    monitor.refuses = set()
    now.seconds += forwards.RETRY
    opened.follow({("tcp", 18080)})
    assert opened.open == {("tcp", 18080)}
    assert said[1].startswith("opened")
    assert opened.refused == {}


def test_very_many_ports_that_are_taken_cost_little_and_keep_nobody_waiting_for_ever() -> None:
    monitor, now = Monitor(), Now()
    monitor.refuses = set(range(1000, 2000))
    opened = made(monitor, ADDRESS, lambda _: None, why=lambda *_: ("somebody has it", ""), now=now)
    wanted = {("tcp", number) for number in (*monitor.refuses, 3000)}
    opened.follow(wanted)
    assert len(monitor.lines) == forwards.MOST_FAILURES
    for _ in range(100):
        now.seconds += forwards.RETRY
        opened.follow(wanted)
    assert ("tcp", 3000) in opened.open
    assert len(opened.refused) == 1000


@loopback_addresses
def test_why_a_port_cannot_be_had_is_found_out() -> None:
    monitor, said = Monitor(), list[str]()
    monitor.refuses = {18088}
    with socket.create_server((ADDRESS, 18088)):
        opened = made(monitor, ADDRESS, said.append)
        opened.follow({("tcp", 18088)})
    assert len(said) == 1
    assert f"process {os.getpid()}) has it" in said[0]
    assert f"process {os.getpid()}) has it" in opened.refused["tcp", 18088]


def test_only_six_is_told_once_and_not_of_a_port_that_is_being_closed() -> None:
    said = list[str]()
    opened = made(Monitor(), ADDRESS, said.append)
    for ports in ({("tcp", 1)}, {("tcp", 2)}, {("tcp", 2)}, {("tcp", 2)}, set(), {("tcp", 2)}, {("tcp", 2)}):
        opened.warn_ipv6_only(ports)
    assert len(said) == 2
    assert all("tcp port 2 is open for IPv6 only" in line for line in said)


LISTING = """\
Hub -1 (nat):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  19     127.84.0.78  8080       10.0.2.15  8080     0     0
  TCP[HOST_FORWARD]  18     127.84.0.78  3376       10.0.2.15  3376     0     0
  TCP[HOST_FORWARD]  18     127.84.0.78  8081       10.0.2.15    80     0     0
  UDP[HOST_FORWARD]  17     127.84.0.78    53       10.0.2.15    53     0     0
  TCP[ESTABLISHED]   16     127.84.0.78  9090       10.0.2.15  9090     0     0
  TCP[HOST_FORWARD]  17       127.0.0.1  7070       10.0.2.15  7070     0     0
"""


def test_forwards_of_an_earlier_forwarder_are_taken_over() -> None:
    assert forwards.existing(LISTING, ADDRESS, {("tcp", 3376)}) == {("tcp", 8080)}
    assert forwards.existing(LISTING, "127.0.0.1", ()) == {("tcp", 7070)}


def test_what_is_on_localhost_and_what_of_it_is_written_down(tmp_path: Path) -> None:
    """The machine's own ports are not; what is published at the machine's address is there only, and 127.0.0.1 here."""
    monitor, path = Monitor(), tmp_path / "ports.json"
    monitor.refuses = {80}
    taken = {80: ("nginx (process 7) has it", "end that")}
    opened = made(monitor, "127.0.0.1", lambda _: None, why=lambda _, port, __: taken.get(port, ("", "")), now=Now())
    localhost = forwarder.Localhost(opened, {("tcp", 22)}, str(path))
    own = made(Monitor(), ADDRESS, lambda _: None, why=nobody)
    report = {
        "open": [["tcp", 22], ["tcp", 80], ["udp", 53]],
        "local": [["tcp", 8099]],
        "bound": [["tcp", ADDRESS, 81]],
    }
    forwarder.watch([json.dumps(report)], own, ADDRESS, {("tcp", 22)}, localhost=localhost)
    assert own.open == {("tcp", 80), ("tcp", 81), ("udp", 53)}
    assert opened.open == {("tcp", 8099), ("udp", 53)}
    assert path.stat().st_mode & 0o777 == 0o600
    assert forwarded_ports.read(str(path)) == (
        [("tcp", 8099), ("udp", 53)],
        {("tcp", 80): "nginx (process 7) has it"},
    )
    written = path.stat().st_ino
    forwarder.watch([json.dumps(report)], own, ADDRESS, {("tcp", 22)}, localhost=localhost)
    assert path.stat().st_ino == written, "only when something has changed"
    localhost.end()
    assert not path.exists()


def test_a_file_of_ports_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    for text in (
        "",
        "{}",
        "[]",
        '{"open": [["tcp", "x"]], "refused": []}',
        "[" * 100_000,
        '{"open": [], "refused": 3}',
    ):
        path.write_text(text)
        assert forwarded_ports.read(str(path)) == ([], {}), text[:50]
    os.truncate(path, forwarded_ports.LARGEST + 1)
    assert forwarded_ports.read(str(path)) == ([], {})
    assert forwarded_ports.read(str(tmp_path / "nothing")) == ([], {})


def test_words_for_ports() -> None:
    assert forwarded_ports.names([("udp", 53), ("tcp", 8080), ("tcp", 53)]) == "53, 53/udp, 8080"
    refused = {("tcp", number): "x has it" for number in range(1, 9)}
    assert forwarded_ports.marks(refused).startswith("port 1 is not on localhost: x has it; port 2")
    assert forwarded_ports.marks(refused).endswith("nor are 3 more")
    assert forwarded_ports.marks({}) == ""
