"""HOST:PORT as text, taken apart and put together (RFC 3986, section 3.2.2). Pure.

The start of the program loads this module: it imports nothing. machine/swarm/http/hostport.py has `split` and `join`
once more for the swarm, which goes to machines without the rest of the program; a test holds that both agree.
"""

from __future__ import annotations

ENGINE_PORT = 2376  # of an engine that wants TLS (IANA's docker-s), where no other is named
MANAGER_PORT = 3376  # of a manager of classic swarm, where no other is named; docker-machine's


def split(text: str) -> tuple[str, str]:
    """Return the host, without brackets, and the port as text ("" if there is none) of HOST:PORT.

    The port may be missing, and an IPv6 address may stand bare, without brackets, if no port follows. Neither half is
    checked; text whose brackets do not fit is all host.
    """
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        return (host, rest[1:]) if closed and rest[:1] in ("", ":") else (text, "")
    host, _, port = text.partition(":")
    return (text, "") if ":" in port else (host, port)


def join(host: str, port: int | str) -> str:
    """Return HOST:PORT, with brackets around an IPv6 address."""
    return f"{with_brackets(host)}:{port}"


def with_brackets(host: str) -> str:
    """Return the host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def port_number(text: str) -> int:
    """Return a port of `split` as a number; 0 for text that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0


def of_url(url: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port, 0 if there is none, of tcp://HOST:PORT/PATH or HOST:PORT.

    A user and a password are left out. ("", 0) for a socket or a pipe of this computer.
    """
    scheme, found, rest = url.partition("://")
    if found and scheme in ("unix", "npipe"):
        return "", 0
    host, port = split((rest if found else scheme).partition("/")[0].rpartition("@")[2])
    return host, port_number(port)
