"""What the system says when a connection fails, in words for a message: without numbers and Python's own phrases."""

from __future__ import annotations

import ssl

from machine.errors import reason_of
from machine.swarm.printable import printable


def describe(error: Exception) -> str:
    """Return what went wrong, never "": TLS's own reason, or what the system calls the error.

    asyncio raises a ConnectionResetError without a word when a TLS handshake is cut off.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {printable(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', '') or error}"
    if isinstance(error, ConnectionError) and not str(error):
        return "the connection was closed"
    return printable(reason_of(error))  # errors of h11, for one, may quote what the other side sent
