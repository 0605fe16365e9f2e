"""The watcher: keeps the host's forwards in step with the ports that are open inside one machine.

It is a process of its own beside each qemu (`python -m machine.drivers.qemu.forward`), started with the machine. The
machine tells its open ports over a virtio serial port; this adds and removes forwards through a QMP socket of its own.
It ends when qemu ends, for then both of its connections end. What it did is in the machine's forward.log.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from machine.drivers.qemu.qmp import Client, QmpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    Port = tuple[str, int]  # ("tcp" or "udp", number)

NAT = "nat"
PATIENCE = 20.0  # seconds for qemu to open its sockets
GREATEST_LINE = 1 << 20


def wanted(report: str, fixed: Collection[Port]) -> set[Port] | None:
    """The ports that a line from the machine says are open, without those that are forwarded anyway.

    None when the line makes no sense: the machine's word is not trusted further than a port number.
    """
    try:
        found = json.loads(report)["open"]
        ports = {(str(kind), int(number)) for kind, number in found}
    except (ValueError, TypeError, KeyError):
        return None
    return {(kind, number) for kind, number in ports if kind in ("tcp", "udp") and 0 < number < 65536} - set(fixed)


class Forwards:
    """The forwards that exist, and bringing them to what is wanted."""

    def __init__(self, monitor: Callable[[str], str], address: str, say: Callable[[str], None]) -> None:
        self._monitor, self._address, self._say = monitor, address, say
        self.open: set[Port] = set()
        self._refused: set[Port] = set()

    def follow(self, ports: set[Port]) -> None:
        """Add what is missing, remove what is too much; a port that cannot be had is said once and tried again."""
        for kind, number in sorted(self.open - ports):
            self._monitor(f"hostfwd_remove {NAT} {kind}:{self._address}:{number}")
            self._say(f"closed {kind} port {number}")
            self.open.discard((kind, number))
        self._refused &= ports
        for port in sorted(ports - self.open):
            self._add(port)

    def _add(self, port: Port) -> None:
        kind, number = port
        answer = self._monitor(f"hostfwd_add {NAT} {kind}:{self._address}:{number}-:{number}")
        if not answer:
            self.open.add(port)
            self._refused.discard(port)
            self._say(f"opened {kind} port {number} at {self._address}")
        elif port not in self._refused:
            self._refused.add(port)
            why = "only root may open ports below 1024 here" if number < 1024 else "another program has it"
            self._say(f"cannot open {kind} port {number} at {self._address}: probably {why} ({answer})")


def watch(lines: Iterable[str], forwards: Forwards, fixed: Collection[Port]) -> None:
    """Follow the machine's reports to their end."""
    for line in lines:
        ports = wanted(line, fixed)
        if ports is not None:
            forwards.follow(ports)


def main(argv: list[str]) -> int:
    """`QMP-SOCKET GUEST-SOCKET LOG ADDRESS FIXED`: FIXED is a comma list of guest ports that are forwarded anyway."""
    qmp_path, guest_path, log_path, address, fixed_text = argv
    fixed = {(kind, int(number)) for number in fixed_text.split(",") if number for kind in ("tcp",)}
    _to_background()
    try:
        with Client(qmp_path, timeout=PATIENCE) as qmp, socket.socket(socket.AF_UNIX) as guest:
            guest.connect(guest_path)
            say = _log(log_path)
            with guest.makefile("r", encoding="ascii", errors="replace") as lines:
                watch(iter(lambda: lines.readline(GREATEST_LINE), ""), Forwards(qmp.monitor, address, say), fixed)
    except (QmpError, OSError):
        return 1  # qemu has ended, or another watcher serves it already
    return 0


def _log(path: str) -> Callable[[str], None]:
    """A new log; only the watcher that serves the machine gets that far."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)

    def say(text: str) -> None:
        os.write(log, f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}\n".encode())

    return say


def _to_background() -> None:
    """Leave the caller: a session of its own, no terminal, nothing open (os.fork twice)."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
