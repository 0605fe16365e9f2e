"""The watcher of published ports: what it makes of reports, and the whole of it with a real qemu."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from shutil import which

import pytest

from machine.drivers.qemu.forward import Forwards, wanted

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


def report(*ports: tuple[str, int]) -> str:
    return json.dumps({"open": ports})


def test_reports() -> None:
    assert wanted(report(("tcp", 80), ("tcp", 22)), {("tcp", 22)}) == {("tcp", 80)}
    assert wanted(report(("udp", 53)), set()) == {("udp", 53)}
    assert wanted(report(("sctp", 80), ("tcp", 0), ("tcp", 70000)), set()) == set()


@pytest.mark.parametrize(
    "line", ["", "x", "[]", "{}", '{"open": 3}', '{"open": [["tcp"]]}', '{"open": [["tcp", "x"]]}']
)
def test_a_report_that_makes_no_sense_changes_nothing(line: str) -> None:
    assert wanted(line, set()) is None


def test_ports_come_and_go() -> None:
    monitor, said = Monitor(), list[str]()
    forwards = Forwards(monitor, ADDRESS, said.append)
    forwards.follow({("tcp", 8080), ("udp", 53)})
    forwards.follow({("tcp", 8080), ("udp", 53)})
    forwards.follow({("tcp", 8080)})
    assert monitor.lines == [
        f"hostfwd_add nat tcp:{ADDRESS}:8080-:8080",
        f"hostfwd_add nat udp:{ADDRESS}:53-:53",
        f"hostfwd_remove nat udp:{ADDRESS}:53",
    ]
    assert len(said) == 3


def test_a_port_that_cannot_be_had_is_said_once_and_tried_again() -> None:
    monitor, said = Monitor(), list[str]()
    monitor.refuses = {80}
    forwards = Forwards(monitor, ADDRESS, said.append)
    forwards.follow({("tcp", 80)})
    forwards.follow({("tcp", 80)})
    assert len(said) == 1
    assert "qemu says: Could not set up" in said[0], "the port is free here and now"
    monitor.refuses = set()
    forwards.follow({("tcp", 80)})
    assert forwards.open == {("tcp", 80)}
    assert said[1].startswith("opened")


@pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_the_process_lives_as_long_as_qemu(tmp_path: Path) -> None:
    """A real qemu, a real watcher; the test speaks for the machine at its serial port."""
    qmp, guest, log = tmp_path / "q", tmp_path / "g", tmp_path / "log"
    words = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-netdev", "user,id=nat"]
    qemu = subprocess.Popen([*words, "-qmp", f"unix:{qmp},server=on,wait=off"])
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(guest))
            server.listen(1)
            server.settimeout(20)
            _until(qmp.exists)
            module = [sys.executable, "-m", "machine.drivers.qemu.forward"]
            subprocess.run([*module, str(qmp), str(guest), str(log), ADDRESS, "22,2376"], check=True, timeout=30)
            speaker, _ = server.accept()
            speaker.sendall(report(("tcp", 22), ("tcp", 18080)).encode() + b"\n")
            _until(lambda: _answers(18080))
            speaker.sendall(b"nonsense\n" + report(("tcp", 22)).encode() + b"\n")
            _until(lambda: not _answers(18080))
            speaker.close()
        _until(lambda: not watchers(str(guest)))
    finally:
        qemu.kill()
        qemu.wait()
    assert "opened tcp port 18080" in log.read_text()
    assert "closed tcp port 18080" in log.read_text()


def _answers(port: int) -> bool:
    try:
        socket.create_connection((ADDRESS, port), 1).close()
    except OSError:
        return False
    return True


def watchers(mark: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if mark in words and "machine.drivers.qemu.forward" in words:
                found.append(int(entry))
    return found


def _until(true: object, seconds: float = 10.0) -> None:
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
