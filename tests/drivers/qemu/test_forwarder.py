"""The forwarder of published ports: what it makes of reports, and the whole of it with a real qemu."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from machine import background
from machine.drivers.qemu import forwarder, paths
from machine.drivers.qemu.forwarder import Patience
from tests.drivers.qemu.monitors import connected
from tests.platforms import proc

ADDRESS = "127.84.0.78"


def report(*ports: tuple[str, int]) -> str:
    return json.dumps({"open": ports})


def test_forwards_outlive_a_restart_of_the_engine() -> None:
    """Its port closes, or (when nobody looked in that moment) another socket is there; its containers' come later."""
    clock = [0.0]
    patience = Patience(lambda: clock[0])
    seen = []
    for at, engine in ((0, ""), (1, "a"), (2, "a"), (3, ""), (60, ""), (61, "b"), (100, "b"), (122, "b"), (123, "c")):
        clock[0] = at
        seen.append((at, patience.over(engine)))
    assert seen == [
        *((0, True), (1, True), (2, True), (3, False), (60, False), (61, False)),
        *((100, False), (122, True), (123, False)),
    ]
    clock[0] = 200.0
    assert patience.over("c")
    assert not patience.over("")
    clock[0] += forwarder.ENGINE_AWAY
    assert patience.over(""), "an engine that stays away keeps nothing open for ever"


def _start_qemu(qmp: Path) -> subprocess.Popen[bytes]:
    """A qemu with a network and no machine, which is spoken to at the socket `qmp`."""
    words = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-netdev", "user,id=nat"]
    return subprocess.Popen([*words, "-qmp", f"unix:{qmp},server=on,wait=off"])


@contextlib.contextmanager
def _guest_port(qmp: Path, guest: Path) -> Iterator[socket.socket]:
    """A qemu of `_start_qemu`, with a server at `guest` where its machine's serial port would be: the test speaks."""
    qemu = _start_qemu(qmp)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(guest))
            server.listen(1)
            server.settimeout(20)
            connected(str(qmp)).close()
            yield server
    finally:
        qemu.kill()
        qemu.wait()


@proc
@pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_the_process_lives_as_long_as_qemu(tmp_path: Path) -> None:
    """A real qemu, a real forwarder; the test speaks for the machine at its serial port."""
    qmp, guest, log = tmp_path / "q", tmp_path / "g", tmp_path / "log"
    with _guest_port(qmp, guest) as server:
        module = [sys.executable, "-m", "machine.drivers.qemu.forwarder"]
        subprocess.run([*module, str(qmp), str(guest), str(log), ADDRESS, "22,2376"], check=True, timeout=30)
        speaker, _ = server.accept()
        speaker.sendall(report(("tcp", 22), ("tcp", 18080)).encode() + b"\n")
        _until(lambda: _answers(18080))
        speaker.sendall(b"nonsense\n" + report(("tcp", 22)).encode() + b"\n")
        _until(lambda: not _answers(18080))
        speaker.close()
        server.close()
        _until(lambda: not forwarder_pids(str(guest)))
    assert "opened tcp port 18080" in log.read_text()
    assert "closed tcp port 18080" in log.read_text()


@proc
@pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_one_that_was_killed_is_missed_and_the_next_goes_on(tmp_path: Path) -> None:
    qmp, guest, log, lock = (tmp_path / name for name in ("q", "g", "log", "helper.lock"))
    qemu = _start_qemu(qmp)
    module = [sys.executable, "-m", "machine.drivers.qemu.forwarder"]
    start = [*module, str(qmp), str(guest), str(log), ADDRESS, "22,2376", str(lock)]
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(guest))
            server.listen(2)
            server.settimeout(20)
            connected(str(qmp)).close()
            subprocess.run(start, check=True, timeout=30)
            _until(lambda: not forwarder_pids(str(guest)))
            assert not log.exists(), "none is expected, so none works"
            background.expect(str(lock))
            assert not background.missing(str(lock)), "it has time to come"
            subprocess.run(start, check=True, timeout=30)
            speaker, _ = server.accept()
            speaker.sendall(report(("tcp", 18081), ("tcp", 18082)).encode() + b"\n")
            _until(lambda: _answers(18081) and _answers(18082))
            subprocess.run(start, check=True, timeout=30)  # a second one finds the first and goes
            _until(lambda: [background.running(str(lock))] == forwarder_pids(str(guest)))
            assert not background.missing(str(lock))
            os.kill(background.running(str(lock)), 9)
            speaker.close()
            _until(lambda: background.missing(str(lock)))
            assert _answers(18081), "qemu keeps its forwards"
            subprocess.run(start, check=True, timeout=30)
            speaker, _ = server.accept()
            speaker.sendall(report(("tcp", 18082)).encode() + b"\n")
            _until(lambda: not _answers(18081))
            assert _answers(18082)
            assert log.read_text().count("opened") == 2, "what is open is not opened again"
            qemu.kill()
            qemu.wait()
            speaker.close()
        _until(lambda: not forwarder_pids(str(guest)))
        assert not lock.exists(), "with its machine off, nobody misses it"
    finally:
        qemu.kill()
        qemu.wait()


@proc
@pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
@pytest.mark.parametrize("killed_first", [False, True])
def test_a_machine_that_goes_on_has_its_ports_before_it_says_so(tmp_path: Path, killed_first: bool) -> None:
    """The forwarder of a new qemu: the machine reports again only after a while. The first one was killed, or ended."""
    qmp, guest, log, lock = (tmp_path / name for name in ("q", "g", "log", "helper.lock"))
    port = 18085 if killed_first else 18084  # both may be tried at once
    module = [sys.executable, "-m", "machine.drivers.qemu.forwarder", "--localhost=22"]
    start = [*module, str(qmp), str(guest), str(log), ADDRESS, "22,2376", str(lock)]
    for run in range(2):
        qmp.unlink(missing_ok=True)
        guest.unlink(missing_ok=True)
        with _guest_port(qmp, guest) as server:
            lock.unlink(missing_ok=True)
            background.expect(str(lock))
            subprocess.run(start, check=True, timeout=30)
            speaker, _ = server.accept()
            if run == 0:
                speaker.sendall(report(("tcp", 22), ("tcp", port), ("udp", port)).encode() + b"\n")
            _until(lambda: _answers(port))
            _until((tmp_path / paths.FORWARDED_PORTS).exists)
            if run == 1:
                speaker.sendall(report(("tcp", 22)).encode() + b"\n")
                _until(lambda: not _answers(port))
            if killed_first and run == 0:
                os.kill(background.running(str(lock)), 9)
            speaker.close()
        _until(lambda: not forwarder_pids(str(guest)))


@pytest.mark.skipif(which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed")
def test_a_machine_that_prints_without_end_does_not_fill_the_disk(tmp_path: Path) -> None:
    """A real qemu whose boot sector prints for ever, with the console as machines have it; a real forwarder."""
    qmp, guest, disk, console = (tmp_path / name for name in ("q", "g", "disk", paths.CONSOLE))
    code = bytes.fromhex("baf803b078eeebfd")  # mov dx, 0x3f8; mov al, 'x'; out dx, al; jmp back to out
    disk.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    console.write_bytes(b"before " * (forwarder.LONGEST_LOG // 7 + 1))
    words = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-netdev", "user,id=nat", "-snapshot"]
    words += ["-chardev", f"file,id=console,path={console},append=on", "-serial", "chardev:console"]
    qemu = subprocess.Popen([*words, "-qmp", f"unix:{qmp},server=on,wait=off", "-drive", f"format=raw,file={disk}"])
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(guest))
            server.listen(1)
            connected(str(qmp)).close()
            _until(lambda: console.read_bytes().endswith(b"xxx"), 30)
            module = [sys.executable, "-m", "machine.drivers.qemu.forwarder"]
            subprocess.run([*module, str(qmp), str(guest), str(tmp_path / "log"), ADDRESS, ""], check=True, timeout=30)
            speaker, _ = server.accept()
            # it is emptied, and then written what is kept
            _until(lambda: forwarder.KEPT_LOG <= console.stat().st_size < forwarder.LONGEST_LOG // 2, 30)
            size = console.stat().st_size
            _until(lambda: console.stat().st_size > size, 30)
            assert console.stat().st_blocks * 512 >= size, "no hole where it was cut"
            assert b"\0" not in console.read_bytes()
            speaker.close()
    finally:
        qemu.kill()
        qemu.wait()
    _until(lambda: not forwarder_pids(str(guest)))


def test_a_log_is_cut_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "LONGEST_LOG", 100)
    monkeypatch.setattr(forwarder, "KEPT_LOG", 10)
    log, link = tmp_path / "log", tmp_path / "link"
    say = forwarder.log_to(str(log))
    say("x")
    before = log.read_bytes()
    forwarder.cut(str(log))
    assert log.read_bytes() == before
    for number in range(10):
        say(f"line {number}")
    link.symlink_to(log)
    forwarder.cut(str(link))
    assert log.stat().st_size > 100
    forwarder.cut(str(log))
    assert log.read_bytes().endswith(b" line 9\n")
    assert log.stat().st_size == 10
    say("more")
    assert b"\0" not in log.read_bytes()
    forwarder.cut(str(tmp_path / "nothing"))


def test_a_machine_that_reports_without_end_is_not_listened_to_all_the_time() -> None:
    slept: list[float] = []
    lines = forwarder.paced(io.StringIO("a\nb\nc\n"), slept.append)
    assert next(lines) == "a\n"
    time.sleep(0.3)
    assert list(lines) == ["b\n", "c\n"]
    assert slept[0] >= 0.3
    assert slept[1:] == [forwarder.PAUSE, forwarder.PAUSE]


def _answers(port: int) -> bool:
    try:
        socket.create_connection((ADDRESS, port), 1).close()
    except OSError:
        return False
    return True


def forwarder_pids(mark: str) -> list[int]:
    """The forwarders with `mark` among their words, by two looks: the first misses one that forks meanwhile."""
    return sorted({*_look_for_forwarders(mark), *_look_for_forwarders(mark)})


def _look_for_forwarders(mark: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if mark in words and "machine.drivers.qemu.forwarder" in words:
                found.append(int(entry))
    return found


def _until(true: object, seconds: float = 30.0) -> None:
    assert callable(true)
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
