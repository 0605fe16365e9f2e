"""Lines out of a stream that comes in pieces of any size. Pure."""

from __future__ import annotations


class LineBuffer:
    """What has come of a line that is not whole yet; its length is for a bound.

    A byte is looked at once and copied at most twice, however small the pieces are.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._seen = 0  # bytes of the rest in which no line ends

    def __len__(self) -> int:
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends."""
        self._rest += data
        found, start = [], 0
        while (end := self._rest.find(b"\n", max(start, self._seen))) >= 0:
            found.append(bytes(self._rest[start:end]))
            start = end + 1
        del self._rest[:start]
        self._seen = len(self._rest)
        return found

    def take(self) -> bytes:
        """What is left, as the last line of a stream that ends without one."""
        rest = bytes(self._rest)
        self._rest.clear()
        self._seen = 0
        return rest
