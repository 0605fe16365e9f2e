"""One HTTP/1.1 answer read from bytes as they come (RFC 9112); no socket in here.

Only what a GET to the Docker Engine API needs: status, headers, a body by length, in chunks or up to the end.
http.client would do it too, and costs 10 ms to import and a deadline that starts anew with every packet.
"""

from __future__ import annotations

LARGEST_HEAD = 65536


class NotHttp(ValueError):
    """What came is no HTTP answer; the text is its beginning."""


class Reply:
    """Feed it bytes until `done`. Header names are in lower case; of repeated ones the last counts."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.done = False
        self._raw = bytearray()
        self._in_body = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes, b"" at the end of the stream. NotHttp if they make no sense or are cut short."""
        self._raw += data
        if not self._in_body:
            self._read_head()
        if self._in_body and not self.done:
            self._read_body(ended=not data)
        if not data and not self.done:
            raise NotHttp(_start(self._raw) or "the connection was closed without an answer")

    def _read_head(self) -> None:
        if not self._raw.startswith(b"HTTP/1."[: len(self._raw)]) or len(self._raw) > LARGEST_HEAD:
            raise NotHttp(_start(self._raw))
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(None, 2)
        if len(words) < 2 or not words[1].isdigit():
            raise NotHttp(first[:80])
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.status, self._raw, self._in_body = int(words[1]), rest, True

    def _read_body(self, *, ended: bool) -> None:
        if self.status in (204, 304):
            self.done = True
        elif self.headers.get("transfer-encoding", "").lower() == "chunked":
            whole = _joined(self._raw)
            if whole is not None:
                self.body, self.done = whole, True
        elif "content-length" in self.headers:
            text = self.headers["content-length"]
            if not text.isdigit():
                raise NotHttp(f"Content-Length: {text[:40]}")
            if len(self._raw) >= int(text):
                self.body, self.done = bytes(self._raw[: int(text)]), True
        elif ended:
            self.body, self.done = bytes(self._raw), True


def _joined(raw: bytearray) -> bytes | None:
    """The body out of its chunks, None while some are missing."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = raw.find(b"\r\n", at)
        if end < 0:
            return None
        try:
            size = int(raw[at:end].split(b";")[0], 16)
        except ValueError:
            raise NotHttp(_start(raw[at:])) from None
        if size == 0:
            return b"".join(parts)
        if len(raw) < end + 2 + size + 2:
            return None
        parts.append(bytes(raw[end + 2 : end + 2 + size]))
        at = end + 2 + size + 2


def _start(raw: bytearray) -> str:
    """The first bytes of an answer, for an error."""
    return repr(bytes(raw[:60]))[1:].strip("'\"") if raw else ""
