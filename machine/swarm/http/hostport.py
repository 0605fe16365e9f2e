"""HOST:PORT as text, taken apart and put together, as machine/hostport.py does it for the rest of the program. Pure."""

from __future__ import annotations


def split(text: str) -> tuple[str, str]:
    """Return the host, without brackets, and the port as text ("" if there is none) of HOST:PORT.

    The port may be missing, and an IPv6 address may stand bare, without brackets, if no port follows. Neither half is
    checked; text whose brackets do not fit is all host.
    """
    if text.startswith("["):
        host, closed, remainder = text[1:].partition("]")
        return (host, remainder[1:]) if closed and remainder[:1] in ("", ":") else (text, "")
    host, _, port = text.partition(":")
    return (text, "") if ":" in port else (host, port)


def join(host: str, port: int | str) -> str:
    """Return HOST:PORT, with brackets around an IPv6 address."""
    return f"{with_brackets(host)}:{port}"


def with_brackets(host: str) -> str:
    """Return the host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
