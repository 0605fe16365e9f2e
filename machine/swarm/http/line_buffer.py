"""Lines out of a stream that comes in pieces of any size. Pure."""

from __future__ import annotations


class LineBuffer:
    """What has come of a line that is not whole yet; its length is for a bound.

    A byte is looked at once and copied at most twice, however small the pieces are.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # bytes of the rest in which no line ends

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends."""
        self._buffer += data
        lines, start = [], 0
        while (end := self._buffer.find(b"\n", max(start, self._searched))) >= 0:
            lines.append(bytes(self._buffer[start:end]))
            start = end + 1
        del self._buffer[:start]
        self._searched = len(self._buffer)
        return lines

    def take(self) -> bytes:
        """What is left, as the last line of a stream that ends without one."""
        last_line = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return last_line
