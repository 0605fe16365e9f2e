"""One HTTP/1.1 answer read from bytes as they come (RFC 9112); no socket in here.

Only what a request to the Docker Engine API needs: status, headers, a body by length, in chunks or up to the end.
http.client would do it too, and costs 10 ms to import and a deadline that starts anew with every packet; h11 costs
17 ms, a third of what `machine env` takes in all. Whoever answers is not believed: every length has a bound.
"""

from __future__ import annotations

import re

LARGEST_HEAD = 65536  # bytes of status line and headers; dockerd's are below 1 KB
LARGEST_BODY = 262144  # bytes, unless the request allows more; /version of an engine has 1 to 2 KB
LONGEST_CHUNK_LINE = 1024  # bytes of a chunk's size with its extensions; dockerd sends none

_STATUS = re.compile(r"HTTP/1\.[0-9] ([0-9]{3})(?: |$)")
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")
_DIGITS = re.compile(r"[0-9]{1,15}")


class NotHttp(ValueError):
    """What came is no HTTP answer, or one beyond all bounds; the text is its beginning or says which bound."""


class Reply:
    """Feed it bytes until `done`. Header names are in lower case; of repeated ones the last counts.

    `largest` is the number of bytes that the body may have.
    """

    def __init__(self, largest: int = LARGEST_BODY) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.done = False
        self.largest = largest
        self._raw = bytearray()  # what has not been read yet
        self._parts = bytearray()  # the body so far
        self._in_body = False
        self._wanted: int | None = None  # bytes to come of the body or of a chunk; None: not known
        self._chunked = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes, b"" at the end of the stream. Raises NotHttp if they make no sense or are cut short."""
        self._raw += data
        if not self._in_body:
            self._read_head(len(data))
        if self._in_body and not self.done:
            self._read_body(ended=not data)
        if not data and not self.done:
            raise NotHttp(_beginning(self._raw) or "the connection was closed before the end of the answer")

    def _read_head(self, fresh: int) -> None:
        if not self._raw.startswith(b"HTTP/1."[: len(self._raw)]):
            raise NotHttp(_beginning(self._raw))
        end = self._raw.find(b"\r\n\r\n", max(0, len(self._raw) - fresh - 3))
        if end > LARGEST_HEAD or (end < 0 and len(self._raw) > LARGEST_HEAD):
            raise NotHttp(f"its headers have more than {LARGEST_HEAD} bytes")
        if end < 0:
            return
        first, *lines = self._raw[:end].decode("latin-1").split("\r\n")
        found = _STATUS.match(first)
        if not found:
            raise NotHttp(first[:80])
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.status, self._in_body = int(found[1]), True
        del self._raw[: end + 4]
        self._plan_body()

    def _plan_body(self) -> None:
        """Find out how the end of the body will be known."""
        coding = self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        if self.status in (204, 304):
            self._wanted = 0
        elif coding:
            if coding != "chunked":
                raise NotHttp(f"Transfer-Encoding: {coding[:40]}")
            self._chunked = True
        elif length is not None:
            if not _DIGITS.fullmatch(length):
                raise NotHttp(f"Content-Length: {length[:40]}")
            self._wanted = int(length)
            self._check_size(self._wanted)

    def _read_body(self, *, ended: bool) -> None:
        if self._chunked:
            while not self.done and self._read_chunk():
                pass
            return
        self._check_size(len(self._raw) if self._wanted is None else 0)
        if self._wanted is not None and len(self._raw) >= self._wanted:
            self._parts += self._raw[: self._wanted]
            self._finish()
        elif self._wanted is None and ended:
            self._parts += self._raw
            self._finish()

    def _read_chunk(self) -> bool:
        """Take one chunk's size, or its bytes, off what came; whether there may be more to take."""
        if self._wanted is None:
            end = self._raw.find(b"\r\n", 0, LONGEST_CHUNK_LINE + 2)
            if end < 0:
                if len(self._raw) > LONGEST_CHUNK_LINE:
                    raise NotHttp(_beginning(self._raw))
                return False
            size = self._raw[:end].partition(b";")[0].strip()
            if not _HEX.fullmatch(size):
                raise NotHttp(_beginning(self._raw))
            self._wanted = int(size, 16)
            del self._raw[: end + 2]
            self._check_size(len(self._parts) + self._wanted)
        if self._wanted == 0:
            self._finish()  # trailers may follow; nobody needs them
            return False
        if len(self._raw) < self._wanted + 2:
            return False
        if self._raw[self._wanted : self._wanted + 2] != b"\r\n":
            raise NotHttp(_beginning(self._raw[self._wanted :]))
        self._parts += self._raw[: self._wanted]
        del self._raw[: self._wanted + 2]
        self._wanted = None
        return True

    def _check_size(self, size: int) -> None:
        if size > self.largest:
            raise NotHttp(f"its body has more than {self.largest} bytes")

    def _finish(self) -> None:
        self.body, self.done = bytes(self._parts), True
        self._raw.clear()
        self._parts.clear()


def _beginning(raw: bytearray) -> str:
    """The first bytes of an answer, for an error."""
    return repr(bytes(raw[:60]))[1:].strip("'\"") if raw else ""
