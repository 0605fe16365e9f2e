"""One port of this computer that leads to one of a machine, of TCP or UDP."""

from __future__ import annotations

import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from machine.lifecycle.forward.published import Published
from machine.lifecycle.forward.pump import pump
from machine.lifecycle.forward.tunnel import Tunnel
from machine.lifecycle.forward.udp_frames import LARGEST, Frames, frame, remote_command

if TYPE_CHECKING:
    import paramiko

MOST_SENDERS = 256  # of one port of UDP; the one that was silent longest is forgotten
BACKLOG = 64
LOOK = 1.0  # seconds between two looks whether a port was given back


class Listener(ABC):
    """A port that is open here as long as this lives. Opening it raises OSError if it cannot be had."""

    def __init__(self, address: str, published: Published, tunnel: Tunnel) -> None:
        self.published, self._tunnel = published, tunnel
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        tcp = published.kind == "tcp"
        self._socket = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        try:
            if tcp:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((address, published.port))
            if tcp:
                self._socket.listen(BACKLOG)
            self._socket.settimeout(LOOK)
        except BaseException:
            self._socket.close()
            raise
        threading.Thread(target=self._serve, daemon=True).start()

    @abstractmethod
    def _serve(self) -> None: ...

    def close(self) -> None:
        """Give the port back; connections that are open go on."""
        self._socket.close()


class TcpListener(Listener):
    """Each connection gets a channel of its own. While the link is lost connections are closed at once."""

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._socket.fileno() < 0:
                    return
                continue  # the client has gone again, or this process has too many open files
            if not self._tunnel.alive or not self._tunnel.begin():
                near.close()
                continue
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        try:
            pump(near, self._tunnel.open(self.published.target, self.published.port))
        except OSError:
            near.close()
        finally:
            self._tunnel.end()


class UdpListener(Listener):
    """Datagrams go in frames through a small program that is run on the machine."""

    def __init__(self, address: str, published: Published, tunnel: Tunnel) -> None:
        self._channel: paramiko.Channel | None = None
        self._senders: OrderedDict[Any, int] = OrderedDict()  # address -> number in frames
        self._by_number: dict[int, Any] = {}
        self._next = 0
        super().__init__(address, published, tunnel)

    def _serve(self) -> None:
        while True:
            try:
                data, sender = self._socket.recvfrom(LARGEST)
            except OSError:
                if self._socket.fileno() < 0:
                    return
                continue  # nothing came, or an answer met a closed port: the system tells that here
            try:
                self._remote().sendall(frame(self._number(sender), data))
            except OSError:
                self._channel = None  # lost, as UDP may be; the next one tries again

    def _remote(self) -> paramiko.Channel:
        channel = self._channel
        if channel is None or channel.closed or channel.exit_status_ready():
            channel = self._channel = self._tunnel.run(remote_command(self.published.target, self.published.port))
            threading.Thread(target=self._answer, args=(channel,), daemon=True).start()
        return channel

    def _number(self, sender: Any) -> int:
        if sender not in self._senders:
            while len(self._senders) >= MOST_SENDERS:
                _, old = self._senders.popitem(last=False)
                self._by_number.pop(old, None)
            self._next = (self._next + 1) % (1 << 32)
            self._senders[sender] = self._next
            self._by_number[self._next] = sender
        self._senders.move_to_end(sender)
        return self._senders[sender]

    def _answer(self, channel: paramiko.Channel) -> None:
        frames = Frames()
        with contextlib.suppress(OSError, EOFError, ValueError):
            while block := channel.recv(65536):
                for number, data in frames.feed(block):
                    sender = self._by_number.get(number)
                    if sender is not None:
                        with contextlib.suppress(OSError):
                            self._socket.sendto(data, sender)
        channel.close()

    def close(self) -> None:
        """Give the port back, and end the program on the machine."""
        super().close()
        if self._channel is not None:
            self._channel.close()


def listen(address: str, published: Published, tunnel: Tunnel) -> Listener:
    """Open a port here. Raises OSError if it cannot be had."""
    kind = TcpListener if published.kind == "tcp" else UdpListener
    return kind(address, published, tunnel)
