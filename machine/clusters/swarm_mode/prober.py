"""Runs on a node, by its own python3 (3.7 or newer), to see which ports get through from and to one other node.

`python3 - JSON` with this file on stdin; started on both nodes at about the same time. JSON is an object:

    peer     address of the other node
    listen   {"tcp": [ports], "udp": [ports]}: to open here; one that is taken already is its owner's business
    reach    {"tcp": [ports], "udp": [ports]}: to be reached at the other node
    say      what probes from here carry
    hear     what probes from there carry
    patience seconds to wait for a sign of the prober on the other node
    seconds  how long to try after that

Prints one JSON object: "tcp" {port: "open", "refused" or "silent"} for `reach`, "udp" {port: "heard", "silent" or
"unknown"} for `listen`; "unknown" when somebody else has the port and only root could listen beside them.
Listening beside them sees packets before the host's own firewall does, the cloud's firewall it sees after.
"""

from __future__ import annotations

import errno
import json
import select
import socket
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVERY = 0.25
ROUNDS_AFTER = 3  # probes sent once all is known here, for the other side to hear
ETH_P_ALL = 0x0003


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET6 or AF_INET."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def open_port(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> socket.socket | None:
    """A socket that has the port, None when it is taken."""
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
        sock.bind(("", port))
        if kind == socket.SOCK_STREAM:
            sock.listen(8)
    except OSError as error:
        sock.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return None
    sock.setblocking(False)
    return sock


def wire() -> socket.socket | None:
    """Everything that arrives at this host; None without the right to see it."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    except (OSError, AttributeError):
        return None
    sock.setblocking(False)
    return sock


def knock(address: str, port: int, found: dict[int, str]) -> None:
    """Connect until it works; ends with the program."""
    while found[port] != "open":
        try:
            socket.create_connection((address, port), 1.5).close()
            found[port] = "open"
        except ConnectionRefusedError:
            found[port] = "refused"
            time.sleep(EVERY)
        except OSError:
            time.sleep(EVERY)


def probe(port: int, text: str) -> bytes:
    """A datagram that says which port it was sent to."""
    return f"machine looks whether this port is open: {text} {port}.".encode()


class Listener:
    """The ports of this side, and what has come in."""

    def __init__(self, asked: dict[str, Any], family: socket.AddressFamily) -> None:
        self.hear = asked["hear"]
        self.udp: dict[socket.socket, int] = {}
        self.tcp: dict[socket.socket, int] = {}
        self.waiting: set[int] = set()
        self.heard: dict[int, str] = {}
        self.sign = False  # whether anything has come from the other prober
        shared = False
        for port in asked["listen"]["udp"]:
            sock = open_port(family, socket.SOCK_DGRAM, port)
            shared = shared or sock is None
            self.heard[port] = "silent" if sock else "unknown"
            if sock:
                self.udp[sock] = port
        self.wire = wire() if shared else None
        if self.wire:
            self.heard = dict.fromkeys(self.heard, "silent")
        for port in asked["listen"]["tcp"]:
            sock = open_port(family, socket.SOCK_STREAM, port)
            if sock:
                self.tcp[sock] = port
                self.waiting.add(port)

    def attend(self, seconds: float) -> None:
        """Take in whatever comes for that long."""
        sockets = list(self.udp) + list(self.tcp) + ([self.wire] if self.wire else [])
        end = time.time() + seconds
        while True:
            ready = select.select(sockets, [], [], max(end - time.time(), 0))[0]
            if not ready:
                return
            for sock in ready:
                try:
                    self.take(sock)
                except OSError:
                    continue
            if time.time() >= end:  # a busy host has a packet for `wire` at any time
                return

    def take(self, sock: socket.socket) -> None:
        """One packet or one connection."""
        if sock in self.tcp:
            sock.accept()[0].close()
            self.waiting.discard(self.tcp[sock])
            self.sign = True
            return
        packet = sock.recv(65535)
        for port in self.heard:
            if probe(port, self.hear) in packet:
                self.heard[port] = "heard"
                self.sign = True

    def satisfied(self) -> bool:
        """Whether everything has come that can come."""
        return not self.waiting and "silent" not in self.heard.values()


def main(request: dict[str, Any]) -> None:
    """Probe the other node as `request` says, and print what got through; both are in the module's docstring."""
    peer, family = request["peer"], family_of(request["peer"])
    deadline = time.time() + request["patience"]
    listener = Listener(request, family)
    reached: dict[int, str] = dict.fromkeys(request["reach"]["tcp"], "silent")
    threads = [threading.Thread(target=knock, args=(peer, port, reached)) for port in reached]
    for thread in threads:
        thread.daemon = True
        thread.start()
    sender = socket.socket(family, socket.SOCK_DGRAM)
    rounds = ROUNDS_AFTER
    while time.time() < deadline and rounds:
        for port in request["reach"]["udp"]:
            try:
                sender.sendto(probe(port, request["say"]), (peer, port))
            except OSError:
                continue  # no route to it: the other side's silence tells
        met = listener.sign
        listener.attend(EVERY)
        if listener.sign and not met:
            deadline = min(deadline, time.time() + request["seconds"])
        done = listener.satisfied() and all(state == "open" for state in reached.values())
        rounds = rounds - 1 if done else ROUNDS_AFTER
    print(json.dumps({"tcp": reached, "udp": listener.heard}))
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
