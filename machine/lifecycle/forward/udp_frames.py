"""Datagrams in a stream, and the program that takes them out of it on the machine.

A frame is the number of a sender (4 bytes, network order), a length (2 bytes) and so many bytes.
"""

from __future__ import annotations

import shlex
import struct
from collections.abc import Iterator

LARGEST = 65507  # bytes that a datagram of UDP over IPv4 can have
_HEAD = struct.Struct("!IH")
PROGRAM = r"""
import os, select, socket, struct, sys
target = (sys.argv[1], int(sys.argv[2]))
family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
senders, order, buffer = {}, [], b""
while True:
    ready, _, _ = select.select([0] + list(senders.values()), [], [])
    for source in ready:
        if source == 0:
            block = os.read(0, 65536)
            if not block:
                sys.exit(0)
            buffer += block
            while len(buffer) >= 6:
                number, length = struct.unpack("!IH", buffer[:6])
                if len(buffer) < 6 + length:
                    break
                data, buffer = buffer[6:6 + length], buffer[6 + length:]
                if number not in senders:
                    if len(order) >= 256:
                        senders.pop(order.pop(0)).close()
                    made = socket.socket(family, socket.SOCK_DGRAM)
                    made.connect(target)
                    senders[number] = made
                    order.append(number)
                try:
                    senders[number].send(data)
                except OSError:
                    pass
        elif source.fileno() >= 0:
            try:
                data = source.recv(65535)
            except OSError:
                continue
            number = [key for key, value in senders.items() if value is source][0]
            data = struct.pack("!IH", number, len(data)) + data
            while data:
                data = data[os.write(1, data):]
"""


def remote_command(target: str, port: int) -> str:
    """Return the command that relays to `port` of `target`, for a shell of the machine."""
    return f"exec python3 -SE -c {shlex.quote(PROGRAM)} {shlex.quote(target)} {port}"


def frame(number: int, data: bytes) -> bytes:
    """Return one datagram of a sender as a frame."""
    return _HEAD.pack(number, len(data)) + data


class Frames:
    """Datagrams out of a stream that comes in pieces; at most one unfinished frame is kept."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take the next piece; (number, datagram) of each frame that is whole now."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            number, length = _HEAD.unpack_from(self._buffer)
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            found, self._buffer = self._buffer[_HEAD.size : end], self._buffer[end:]
            yield number, found
