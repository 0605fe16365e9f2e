"""The program that looks which ports get through, run twice on loopback, and what is made of its answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from machine.clusters.swarm_mode import ports, prober
from machine.clusters.swarm_mode.ports import Closed, Side
from machine.process import Completed
from tests.sshd import free_port

PROBER = Path(ports.__file__).with_name("prober.py")


class Here:
    """A shell on this computer."""

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
        done = subprocess.run(["sh", "-c", command], input=stdin, capture_output=True, timeout=timeout)
        return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

    def put(self, path: str, content: bytes, mode: int) -> None:
        raise NotImplementedError


def pair(one: dict[str, Any], other: dict[str, Any], seconds: float = 3.0, patience: float = 20.0) -> tuple[Any, Any]:
    """Both probers at once; `one` listens to what `other` reaches unless said otherwise."""
    common = {"peer": "127.0.0.1", "seconds": seconds, "patience": patience}
    started = []
    for asked, say, hear in ((one, "a", "b"), (other, "b", "a")):
        text = json.dumps({**common, "say": say, "hear": hear, **asked})
        argv = [sys.executable, str(PROBER), text]
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=30)[0] for process in started]
    return json.loads(said[0]), json.loads(said[1])


def test_open_ports_are_seen_both_ways() -> None:
    t1, u1, t2, u2 = (free_port() for _ in range(4))
    first = {"listen": {"tcp": [t1], "udp": [u1]}, "reach": {"tcp": [t2], "udp": [u2]}}
    second = {"listen": first["reach"], "reach": first["listen"]}
    a, b = pair(first, second, seconds=10)
    assert a == {"tcp": {str(t2): "open"}, "udp": {str(u1): "heard"}}
    assert b == {"tcp": {str(t1): "open"}, "udp": {str(u2): "heard"}}


def test_closed_ports_are_seen_too() -> None:
    t1, u1, t2, u2, lost = (free_port() for _ in range(5))
    first = {"listen": {"tcp": [], "udp": [u1]}, "reach": {"tcp": [t2], "udp": [u2]}}
    second = {"listen": {"tcp": [t2], "udp": [u2]}, "reach": {"tcp": [t1], "udp": [lost]}}
    a, b = pair(first, second, seconds=1, patience=4)
    assert a["udp"] == {str(u1): "silent"}, "the probe went to another port"
    assert b["tcp"] == {str(t1): "refused"}
    assert b["udp"] == {str(u2): "heard"}


def test_a_port_that_somebody_else_has() -> None:
    """Dockerd's own: tcp is reached all the same; udp is overheard by root, and unknown to others."""
    with socket.create_server(("", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("", 0))
        t2, u2, u1 = tcp.getsockname()[1], udp.getsockname()[1], free_port()
        first = {"listen": {"tcp": [], "udp": [u1]}, "reach": {"tcp": [t2], "udp": [u2]}}
        second = {"listen": {"tcp": [t2], "udp": [u2]}, "reach": {"tcp": [], "udp": [u1]}}
        a, b = pair(first, second, seconds=5)
    assert a == {"tcp": {str(t2): "open"}, "udp": {str(u1): "heard"}}
    assert b["udp"] == {str(u2): "heard" if os.getuid() == 0 else "unknown"}


def test_a_host_with_traffic_at_any_time_ends_all_the_same() -> None:
    """As one whose every packet is overheard: there is always something to read."""

    class Busy(prober.Listener):
        def take(self, sock: socket.socket) -> None:
            """Leave it there."""

    port = free_port()
    asked = {"hear": "b", "listen": {"tcp": [], "udp": [port]}}
    listener = Busy(asked, socket.AF_INET)
    attending = threading.Thread(target=listener.attend, args=(0.1,), daemon=True)
    with next(iter(listener.udp)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", port))
        attending.start()
        attending.join(20)
        assert not attending.is_alive()


M1 = Side("m1", "10.0.0.1", "the security group", is_manager=True)
W1 = Side("w1", "20.0.0.2", "the network security group", is_manager=False)


def test_what_a_node_must_be_reached_at() -> None:
    assert M1.ports() == {"tcp": [2377, 7946], "udp": [7946, 4789]}
    assert W1.ports() == {"tcp": [7946], "udp": [7946, 4789]}


def test_the_missing_rule_is_named_with_its_place() -> None:
    answers: dict[str, dict[str, Any]] = {
        "m1": {"tcp": {"7946": "open"}, "udp": {"7946": "heard", "4789": "silent"}},
        "w1": {"tcp": {"2377": "silent", "7946": "open"}, "udp": {"7946": "heard", "4789": "unknown"}},
    }
    missing = ports.closed_ports(W1, M1, answers)
    assert missing == [Closed(W1, M1, "tcp", 2377, "silent"), Closed(W1, M1, "udp", 4789, "silent")]
    seen, todo = ports.explain(missing)
    assert seen == "w1 does not reach m1 (10.0.0.1) at 2377/tcp, 4789/udp"
    assert todo == "let 2377/tcp, 4789/udp from 20.0.0.2 into the security group of m1"


def test_each_way_is_a_line_and_a_refusal_is_told_from_silence() -> None:
    missing = [Closed(W1, M1, "tcp", 2377, "refused"), Closed(M1, W1, "udp", 7946, "silent")]
    seen, todo = ports.explain(missing)
    assert [line.split()[0] for line in seen.splitlines()] == ["w1", "m1"]
    assert "refused" in seen.splitlines()[0]
    assert "the network security group of w1" in todo


def test_a_machine_at_home_is_told_from_a_firewall() -> None:
    cloud = Side("w1", "8.8.4.4", "the network security group", is_manager=False)
    home, neighbour = (
        Side(name, f"192.168.1.{n}", "the firewall", is_manager=True) for n, name in enumerate(("m1", "m2"), 5)
    )
    assert ports.name_in_private_network([Closed(home, cloud, "tcp", 7946, "silent")]) == ""
    assert ports.name_in_private_network([Closed(cloud, home, "tcp", 2377, "silent")]) == "m1"
    assert ports.name_in_private_network([Closed(neighbour, home, "tcp", 2377, "silent")]) == ""
    inside, outside = (
        Side("m3", "fe80::5%eth0", "the firewall", is_manager=True),
        Side("w2", "2600::1", "the network security group", is_manager=False),
    )
    assert ports.name_in_private_network([Closed(outside, inside, "udp", 4789, "silent")]) == "m3"


def test_a_host_without_python_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    class NoPython(Here):
        def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None) -> Completed:
            done = subprocess.run(["/bin/sh", "-c", command], input=stdin, capture_output=True, timeout=timeout)
            return Completed(done.returncode, done.stdout.decode(), done.stderr.decode())

    said = ports.probe(M1, W1, {"m1": NoPython(), "w1": NoPython()}, seconds=0.1, patience=0.1)
    assert isinstance(said, str)
    assert "python3" in said
