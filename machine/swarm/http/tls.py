"""TLS without a socket: bytes off the wire in, plain bytes out, and the other way round.

asyncio's own TLS cannot end one half of a connection (it answers a close_notify by closing everything), and
`echo hello | docker run -i ... cat` needs just that. So it is done here on memory BIOs, the way
https://docs.python.org/3/library/ssl.html#ssl-nonblocking describes.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import cast


class Tls:
    """One end of a TLS connection. Whatever is called, send what `outgoing` gives afterwards."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None) -> None:
        self.handshake_done = False  # the handshake is done
        self.ended = False  # the other side has said goodbye
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=server_name)

    def handshake(self) -> None:
        """Go on with the handshake as far as what came in allows. Raises ssl.SSLError if it fails."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.handshake_done = True

    def receive(self, data: bytes) -> bytes:
        """What `data`, off the wire, says in plain. Raises ssl.SSLError if it says nothing good."""
        self._in.write(data)
        if not self.handshake_done:
            self.handshake()
        pieces: list[bytes] = []
        while self.handshake_done and not self.ended:
            try:
                piece = self._ssl.read(256 * 1024)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            self.ended = not piece
            pieces.append(piece)
        return b"".join(pieces)

    def send(self, data: bytes | memoryview) -> None:
        """Encrypt."""
        sent = 0
        while sent < len(data):
            sent += self._ssl.write(data[sent:] if sent else data)

    def close_notify(self) -> None:
        """Say that we send no more (close_notify); what the other side still sends can be received."""
        with contextlib.suppress(ssl.SSLError, OSError):
            self._ssl.unwrap()

    def outgoing(self) -> bytes:
        """What has to go on the wire now; b"" if nothing."""
        return self._out.read() if self._out.pending else b""

    def common_name(self) -> str:
        """The name in the other side's certificate; "" if it has shown none."""
        certificate = (self._ssl.getpeercert() if self.handshake_done else None) or {}
        subject = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
        return next((value for part in subject for key, value in part if key == "commonName"), "")
