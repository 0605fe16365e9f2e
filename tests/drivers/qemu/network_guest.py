"""A machine as far as its network goes: frames of Ethernet over a socket of qemu's, ARP, and answers over UDP."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

INSIDE, GATEWAY = "10.0.2.15", "10.0.2.2"
_MAC = bytes.fromhex("525400123456")
_LENGTH = struct.Struct("!I")


def datagram(source: int, target: str, port: int, data: bytes, to: bytes = bytes(6)) -> bytes:
    """A frame with a datagram from a port of the machine; it has no checksum, which UDP allows."""
    payload = struct.pack("!HHHH", source, port, 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0)
    head += socket.inet_aton(INSIDE) + socket.inet_aton(target)
    words = sum(struct.unpack("!10H", head))
    words = (words & 0xFFFF) + (words >> 16)
    return to + _MAC + b"\x08\x00" + head[:10] + struct.pack("!H", ~words & 0xFFFF) + head[12:] + payload


class Guest(Thread):
    """Answers each datagram with "re:" before it, from the port that was asked. `seen` has (from, port, data)."""

    def __init__(self, link: socket.socket) -> None:
        super().__init__(daemon=True)
        self._link = link
        self._gateway = bytes(6)
        self.seen: list[tuple[str, int, bytes]] = []

    def send(self, frame: bytes) -> None:
        """Send a frame, to the gateway if that is known."""
        frame = self._gateway + frame[6:]
        self._link.sendall(_LENGTH.pack(len(frame)) + frame)

    def run(self) -> None:
        with contextlib.suppress(OSError):  # qemu has ended
            self._follow()

    def _follow(self) -> None:
        arrived = b""
        while block := self._link.recv(65536):
            arrived += block
            while len(arrived) >= 4 and len(arrived) >= 4 + (length := _LENGTH.unpack(arrived[:4])[0]):
                self._receive(arrived[4 : 4 + length])
                arrived = arrived[4 + length :]

    def _receive(self, frame: bytes) -> None:
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == socket.inet_aton(INSIDE):
            self._gateway = frame[6:12]
            self.send(bytes(6) + _MAC + b"\x08\x06" + frame[14:20] + b"\0\2" + _MAC + frame[38:42] + frame[22:32])
        elif frame[12:14] == b"\x08\x00" and frame[23] == 17:
            source, (sport, dport, size) = socket.inet_ntoa(frame[26:30]), struct.unpack("!HHH", frame[34:40])
            data = frame[42 : 34 + size]
            self.seen.append((source, sport, data))
            self.send(datagram(dport, source, sport, b"re:" + data))


@contextmanager
def qemu(qmp: Path, *words: str) -> Iterator[Guest]:
    """A real qemu without a processor, whose NAT leads to a guest of this process; QMP is at the socket `qmp`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        hub = ["-netdev", "hubport,id=a,hubid=0,netdev=nat", "-netdev", "hubport,id=b,hubid=0,netdev=link"]
        process = subprocess.Popen(
            [
                *(
                    "qemu-system-x86_64",
                    "-machine",
                    "none",
                    "-nodefaults",
                    "-display",
                    "none",
                    "-netdev",
                    "user,id=nat",
                ),
                *("-netdev", f"socket,id=link,connect=127.0.0.1:{server.getsockname()[1]}"),
                *(*hub, "-qmp", f"unix:{qmp},server=on,wait=off", *words),
            ]
        )
        try:
            link, _ = server.accept()
            with link:
                guest = Guest(link)
                guest.start()
                yield guest
        finally:
            process.kill()
            process.wait()
