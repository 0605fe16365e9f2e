"""The forwarder: keeps the host's forwards in step with the ports that are open inside one machine.

It is a process of its own beside each qemu (`python -m machine.drivers.qemu.forwarder`), started with the machine. The
machine tells its open ports over a virtio serial port; this adds and removes forwards through a QMP socket of its own,
and relays those of UDP (machine.drivers.qemu.udp_relay).
It ends when qemu ends, for then both of its connections end. What it did is in the machine's forward.log. A machine
may print and report without end, so it keeps that log and the console's short, and takes its time between two reports.

While it works it holds the machine's lock file (machine.background), so that any command notices when it was ended. One
that starts later takes over the forwards that qemu has, and begins with what the machine has said last.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

from machine import background, files, forwarded_ports
from machine.drivers.qemu import guard, paths
from machine.drivers.qemu.forwards import Forwards, existing
from machine.drivers.qemu.port_report import GREATEST_LINE, read, remembered
from machine.drivers.qemu.qmp import Client, QmpError
from machine.drivers.qemu.udp_relay import UdpRelays
from machine.errors import LockHeld, StoreError
from machine.forwarded_ports import LOCALHOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import TextIO

    Port = tuple[str, int]  # ("tcp" or "udp", number)

PATIENCE = 20.0  # seconds for qemu to open its sockets
PAUSE = 0.1  # seconds between two lines, and no less than the last one took: machines of ours send two a second
LONGEST_LOG, KEPT_LOG = 16 << 20, 1 << 20  # bytes of a log before it is cut, and of its end that stay then
CUT_EVERY = 2.0  # seconds between two looks at that; a serial port brings some MB in them
ENGINE_AWAY = 120.0  # seconds that forwards outlive an engine which is being restarted
ENGINE_BACK = 60.0  # seconds that it has to open its containers' ports again; half a minute was seen under load


class Patience:
    """Whether forwards may be closed: not while the machine's engine is restarted, for then its ports come back."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known = ""  # the engine that was there last
        self._away_since: float | None = None
        self._back_since = float("-inf")

    def over(self, engine: str) -> bool:
        """After a report with this word for the engine."""
        now = self._now()
        if engine:
            if self._known not in ("", engine) or (self._known and self._away_since is not None):
                self._back_since = now
            self._known, self._away_since = engine, None
            return now - self._back_since >= ENGINE_BACK
        if not self._known:
            return True
        if self._away_since is None:
            self._away_since = now
        return now - self._away_since >= ENGINE_AWAY


class Localhost:
    """The forwards on localhost, and the file that says which there are (machine.forwarded_ports)."""

    def __init__(self, forwards: Forwards, fixed: Collection[Port], path: str) -> None:
        self.forwards, self._fixed, self._path = forwards, fixed, path
        self._written: tuple[set[Port], dict[Port, str]] | None = None

    def follow(self, ports: set[Port], *, close: bool) -> None:
        """Bring the forwards to `ports`, and write down what came of it."""
        self.forwards.follow(ports - set(self._fixed), close=close)
        now = set(self.forwards.open), dict(self.forwards.refused)
        if now != self._written:
            try:
                forwarded_ports.write(self._path, *now)
                self._written = now
            except StoreError:
                return  # the disk is full; the next report tries again

    def end(self) -> None:
        """Remove the file: nothing is open any more."""
        files.remove_quietly(self._path)


def watch(
    lines: Iterable[str],
    forwards: Forwards,
    address: str,
    fixed: Collection[Port],
    *,
    localhost: Localhost | None = None,
) -> None:
    """Follow the machine's reports to their end."""
    patience = Patience()
    for line in lines:
        report = read(line, address)
        if report is None:
            continue
        close = patience.over(report.engine)
        forwards.follow(report.ports - set(fixed), close=close)
        if localhost is not None:
            localhost.follow(report.localhost, close=close)
        forwards.warn_ipv6_only(report.six - report.ports)


def main(argv: list[str]) -> int:
    """`[--guard=SOCKETS] [--localhost=FIXED] QMP-SOCKET GUEST-SOCKET LOG ADDRESS FIXED [LOCK]`.

    FIXED are comma lists of guest ports: those that are forwarded anyway, and those that are not to be on localhost.
    LOCK is the file by which it is found (machine.background). SOCKETS is the directory of the sockets of
    machine.drivers.qemu.guard.
    """
    program = Program(argv)
    background.to_background()
    if not program.lock:
        program.run()
        return 0
    try:
        with background.Hold(program.lock, "follow the ports of the machine", expected=True) as held:
            held.keep = True
            program.run()
            held.keep = program.is_needed()
    except (LockHeld, FileNotFoundError):
        return 1  # another one serves it already, or the machine is being switched off
    return 0


class Program:
    """The work of one forwarder; `argv` is that of `main`."""

    def __init__(self, argv: list[str]) -> None:
        self._guard_sockets = argv.pop(0).partition("=")[2] if argv[0].startswith("--guard=") else ""
        self._on_localhost = argv.pop(0).partition("=")[2] if argv[0].startswith("--localhost=") else None
        self._qmp_path, self._guest_path, self._log_path, self._address, fixed, *lock = argv
        self._fixed = _numbers(fixed)
        self.lock = lock[0] if lock else ""
        self._localhost: Localhost | None = None

    def run(self) -> None:
        """Follow the machine's ports until its qemu ends."""
        try:
            with Client(self._qmp_path, timeout=PATIENCE) as qmp, socket.socket(socket.AF_UNIX) as guest:
                relays = UdpRelays(qmp.monitor)
                self._start_guard(qmp, guest, relays)
                guest.connect(self._guest_path)
                self._follow(qmp, guest, relays)
        except (QmpError, OSError):
            pass  # qemu has ended: so do we
        if self._localhost is not None and not self.is_needed():
            self._localhost.end()

    def is_needed(self) -> bool:
        """Whether qemu lives on, so that another forwarder is needed."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self._qmp_path)
            except OSError:
                return False
        return True

    def _start_guard(self, qmp: Client, guest: socket.socket, relays: UdpRelays) -> None:
        if self._guard_sockets:
            frames, back = (os.path.join(self._guard_sockets, name) for name in (paths.GUARD_OUT, paths.GUARD_IN))
            guard.renew(qmp)
            guard.start(frames, back, lambda: guest.shutdown(socket.SHUT_RDWR), time.sleep, relays.answers)

    def _follow(self, qmp: Client, guest: socket.socket, relays: UdpRelays) -> None:
        """Follow what the machine reports, and at first what it has reported to an earlier forwarder."""
        listing, say = qmp.monitor("info usernet"), log_to(self._log_path)
        relays.clear(listing)
        forwards = Forwards(qmp.monitor, self._address, say, relays=relays)
        forwards.open = existing(listing, self._address, self._fixed)
        if self._on_localhost is not None:
            at_localhost = forwards  # one address for all is localhost's, too
            if self._address != LOCALHOST:
                at_localhost = Forwards(qmp.monitor, LOCALHOST, say, relays=relays)
                at_localhost.open = existing(listing, LOCALHOST, _numbers(self._on_localhost))
            path = os.path.join(os.path.dirname(self._log_path), paths.FORWARDED_PORTS)
            self._localhost = Localhost(at_localhost, _numbers(self._on_localhost), path)
        directory = os.path.dirname(self._log_path)
        logs = (self._log_path, os.path.join(directory, paths.CONSOLE))
        threading.Thread(target=_keep_short, args=(logs,), daemon=True).start()
        with guest.makefile("r", encoding="ascii", errors="replace") as lines:
            known = remembered(paced(lines), os.path.join(directory, paths.PORT_REPORT))
            watch(known, forwards, self._address, self._fixed, localhost=self._localhost)


def _numbers(text: str) -> set[Port]:
    """The ports of TCP in a comma list."""
    return {("tcp", int(number)) for number in text.split(",") if number}


def log_to(path: str) -> Callable[[str], None]:
    """The machine's log, 0600. It begins when the machine is switched on; a forwarder that is restarted goes on."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(text: str) -> None:
        os.write(log, f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}\n".encode())

    return say


def paced(lines: TextIO, sleep: Callable[[float], object] = time.sleep) -> Iterator[str]:
    """The lines, and time for others after each: half of a processor at most goes to a machine that never stops."""
    while line := lines.readline(GREATEST_LINE):
        began = time.monotonic()
        yield line
        sleep(max(PAUSE, time.monotonic() - began))


def _keep_short(logs: Iterable[str]) -> None:
    while True:
        time.sleep(CUT_EVERY)
        for path in logs:
            cut(path)


def cut(path: str) -> None:
    """Leave only the end of a log that has become too long. Whoever writes to it appends, and need not know."""
    try:
        with open(os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW), "r+b", buffering=0) as file:
            if (size := file.seek(0, os.SEEK_END)) <= LONGEST_LOG:
                return
            file.seek(size - KEPT_LOG)
            end = file.read(KEPT_LOG)
            file.truncate(0)
            file.write(end)
    except OSError:  # there is none, or the disk is full: truncating has made room, if anything could
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
