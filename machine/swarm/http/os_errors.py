"""What the system says when a connection fails, in words for a message: without numbers and Python's own phrases."""

from __future__ import annotations

import os
import re
import socket
import ssl

from machine.swarm.printable import printable


def describe(error: Exception) -> str:
    """Return what went wrong, never "": TLS's own reason, or what the system calls the error.

    asyncio says only "Connect call failed" where the system has a reason, gathers several tries in one text (one for
    each address of a name), and raises a ConnectionResetError without a word when a TLS handshake is cut off.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {printable(error.verify_message)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', '') or error}"
    if isinstance(error, socket.gaierror):  # its numbers are not those of os.strerror
        return error.strerror or "the name is not known"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    # Other errors, as those of h11, may quote what the other side sent.
    numbers = re.findall(r"\[Errno (\d{1,4})\]", str(error)) if isinstance(error, OSError) else []
    text = ", ".join(dict.fromkeys(os.strerror(int(number)) for number in numbers)) or printable(str(error))
    silent = "the connection was closed" if isinstance(error, ConnectionError) else type(error).__name__
    return text or silent
