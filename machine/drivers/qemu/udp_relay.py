"""Ports of UDP that lead to a machine: this process has them, and a socket for each client leads on to qemu's NAT.

qemu's NAT answers for a port of the machine from one socket, whichever of several forwards was asked: a client that has
asked at another address does not take that for its answer. Behind relays there is one forward for each port of the
machine, at a port of 127.0.0.1. And as each client has a socket here, it is known who has asked: whom a machine without
access to its host may answer (machine.drivers.qemu.guard).
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from collections import OrderedDict
from functools import partial

from machine.drivers.qemu.qmp import NAT
from machine.forwarded_ports import LOCALHOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MOST_PORTS = 256  # of UDP of one machine at one address; each costs a file of this process
MOST_CLIENTS = 256  # of one machine; the one that was silent longest is forgotten
LARGEST = 65535  # bytes of a datagram
_TRIES = 3  # to find a port for a forward: another program may be faster
_FORWARD = re.compile(r"^\s*UDP\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s", re.MULTILINE)


class UdpRelays:
    """The relays of one machine. `monitor` runs a command of qemu's monitor and returns its complaint.

    `answers` has (port of the machine, port of 127.0.0.1) of each client: to there a machine may send from that port.
    """

    def __init__(self, monitor: Callable[[str], str]) -> None:
        self.answers: set[tuple[int, int]] = set()
        self._monitor = monitor
        self._forwards: dict[int, int] = {}  # port of the machine -> port of 127.0.0.1 at which qemu has it
        self._open: dict[tuple[str, int], socket.socket] = {}
        self._clients: OrderedDict[tuple[socket.socket, Any], socket.socket] = OrderedDict()
        self._lock = threading.Lock()  # of all of them, between the thread that changes ports and the one that relays
        self._selector = selectors.DefaultSelector()
        threading.Thread(target=self._run, daemon=True).start()

    def clear(self, listing: str) -> None:
        """Remove the forwards of an earlier forwarder, in what qemu's monitor prints for `info usernet`."""
        for address, port in _FORWARD.findall(listing):
            self._monitor(f"hostfwd_remove {NAT} udp:{address}:{port}")

    def open(self, address: str, port: int) -> str:
        """Have `port` at `address` lead to the machine; return why that does not go, "" if it does."""
        if sum(where == address for where, _ in self._open) >= MOST_PORTS:
            return f"{MOST_PORTS} ports of UDP are open already"
        with contextlib.ExitStack() as closed:
            try:
                listener = closed.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                listener.setblocking(False)
                listener.bind((address, port))
                complaint = "" if port in self._forwards else self._forward(port)
            except OSError as error:
                return error.strerror or str(error)
            if complaint:
                return complaint
            with self._lock:
                self._open[address, port] = listener
                self._selector.register(listener, selectors.EVENT_READ, partial(self._ask, listener, port))
            closed.pop_all()
        return ""

    def close(self, address: str, port: int) -> None:
        """Give the port at `address` back, and its clients up."""
        with self._lock:
            listener = self._open.pop((address, port), None)
            if listener is None:
                return
            for key in [key for key in self._clients if key[0] is listener]:
                self._forget(key, port)
            self._selector.unregister(listener)
            listener.close()
        if not any(other == port for _, other in self._open) and port in self._forwards:
            self._monitor(f"hostfwd_remove {NAT} udp:{LOCALHOST}:{self._forwards.pop(port)}")

    def _forward(self, port: int) -> str:
        """Have qemu lead a free port to the machine's; its complaint, "" if it does."""
        complaint = ""
        for _ in range(_TRIES):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((LOCALHOST, 0))
                free = int(probe.getsockname()[1])
            complaint = self._monitor(f"hostfwd_add {NAT} udp:{LOCALHOST}:{free}-:{port}")
            if not complaint:
                self._forwards[port] = free
                return ""
        return f"qemu says: {' '.join(complaint.split())}"

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                with self._lock, contextlib.suppress(OSError):  # nothing came, or nobody listens: that is told here
                    if isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() >= 0:  # not closed meanwhile
                        key.data()

    def _ask(self, listener: socket.socket, port: int) -> None:
        """Lead a client's datagram on."""
        data, sender = listener.recvfrom(LARGEST)
        key = (listener, sender)
        if key not in self._clients:
            while len(self._clients) >= MOST_CLIENTS:
                oldest = next(iter(self._clients))
                self._forget(oldest, oldest[0].getsockname()[1])
            self._clients[key] = self._client(listener, sender, port)
        self._clients.move_to_end(key)
        self._clients[key].send(data)

    def _client(self, listener: socket.socket, sender: Any, port: int) -> socket.socket:
        """Return a new socket for a client, by which nothing comes but what qemu sends from the forward."""
        near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        near.setblocking(False)
        near.bind((LOCALHOST, 0))
        near.connect((LOCALHOST, self._forwards[port]))
        self.answers.add((port, near.getsockname()[1]))
        self._selector.register(near, selectors.EVENT_READ, partial(self._answer, near, listener, sender))
        return near

    @staticmethod
    def _answer(near: socket.socket, listener: socket.socket, sender: Any) -> None:
        """Lead an answer back to who has asked."""
        listener.sendto(near.recv(LARGEST), sender)

    def _forget(self, key: tuple[socket.socket, Any], port: int) -> None:
        near = self._clients.pop(key)
        self.answers.discard((port, near.getsockname()[1]))
        self._selector.unregister(near)
        near.close()
