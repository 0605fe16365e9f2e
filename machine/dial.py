"""A TCP connection to an address out of a record, an engine's answer or a plugin's: which may be no address at all."""

from __future__ import annotations

import socket


def dial(host: str, port: int, seconds: float) -> socket.socket:
    """As socket.create_connection: TimeoutError, socket.gaierror, OSError; also for what no host or port can be."""
    if not 0 < port < 65536:  # getaddrinfo would take the rest of a division for one that is too large
        raise socket.gaierror(socket.EAI_SERVICE, f"there is no port {port}")
    try:
        return socket.create_connection((host, port), seconds)
    except ValueError as error:  # UnicodeError for an empty or too long label; a NUL
        raise socket.gaierror(socket.EAI_NONAME, f"{host[:80]!r} is no address") from error
