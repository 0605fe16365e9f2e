"""The conversation over a stream: packets are cut out of what comes; answers are sent before more is read."""

from __future__ import annotations

from collections.abc import Callable

from machine.share.protocol import LARGEST_PACKET, BadPacket
from machine.share.server import Server

_CHUNK = 1 << 18


def serve(receive: Callable[[int], bytes], send: Callable[[bytes], object], server: Server) -> None:
    """Answer until the stream ends (`receive` returns b""). Raises BadPacket for what is no SFTP.

    `receive(n)` returns up to n bytes, `send` sends all of what it is given.
    """
    buffer = bytearray()
    try:
        while block := receive(_CHUNK):
            buffer += block
            answers: list[bytes] = []
            at = size = 0
            while len(buffer) - at >= 4:
                length = int.from_bytes(buffer[at : at + 4], "big")
                if not 0 < length <= LARGEST_PACKET:
                    raise BadPacket(f"a packet of {length} bytes")
                if len(buffer) - at - 4 < length:
                    break
                answers.append(server.answer(bytes(buffer[at + 4 : at + 4 + length])))
                at, size = at + 4 + length, size + len(answers[-1])
                if size > _CHUNK:
                    send(b"".join(answers))
                    answers, size = [], 0
            del buffer[:at]
            if answers:
                send(b"".join(answers))
    finally:
        server.close()
