"""Which requests come from a web page: a browser on this computer sends them in its user's name. Pure.

A listener without TLS trusts whoever reaches it. A web page reaches it through the browser of somebody who can: by a
form or a script (then the header Origin names the page's site), or by a name of its own that leads to 127.0.0.1
(then the header Host has that name; "DNS rebinding"). Programs send no Origin, or the listener's own; for a
websocket some have to name one, and say that they are of localhost.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from machine.swarm.pipeline import Request

PLACEHOLDER_ORIGINS = (
    "http://localhost",
    "https://localhost",
)  # what clients say that have to say something (aiodocker)
_ONLY_BROWSERS = (b"accept-language", b"cookie", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")


def rejection_reason(
    request: Request, *, own: frozenset[str] = frozenset(), check_host: bool, check_origin: bool
) -> str:
    """Why the request is one of a web page; "" if it is not.

    `own` are names that the listener was told to listen at. `check_host` is for listeners that only this computer
    reaches; `check_origin` is off where browsers of other sites are allowed.
    """
    host = host_of(request.header(b"host").decode("latin-1"))
    if check_host and not (_local(host) or host in own):
        return f"the Host {host[:80]!r} is not this listener's: an address, localhost or a name without a dot is"
    if check_origin:
        return _foreign_origin(request, host)
    return ""


def _foreign_origin(request: Request, host: str) -> str:
    origin = request.header(b"origin").decode("latin-1")
    if origin and not (origin in PLACEHOLDER_ORIGINS and _local(host) and _programs_websocket(request)):
        site = "" if origin == "null" else host_of(urlsplit_netloc(origin))
        if origin == "null" or site != host or _other_port(origin, request):
            return f"web pages of {origin[:80]!r} may not use this listener; --api-enable-cors of manage allows them"
    site = request.header(b"sec-fetch-site").decode("latin-1")
    if site in ("cross-site", "same-site"):
        return "web pages of other sites may not use this listener; --api-enable-cors of manage allows them"
    return ""


def _programs_websocket(request: Request) -> bool:
    """Whether a program opens this websocket: it names itself, and the marks are missing that every browser leaves.

    A page can neither choose nor leave out a header of its websocket.
    """
    agent = request.header(b"user-agent").lower()
    opens = request.method == "GET" and request.upgrade and request.header(b"upgrade").lower() == b"websocket"
    return bool(opens and agent and b"mozilla/" not in agent and not any(map(request.header, _ONLY_BROWSERS)))


def _other_port(origin: str, request: Request) -> bool:
    """Whether a page of the same host was served at another port: another site."""
    return _port(urlsplit_netloc(origin)) != _port(request.header(b"host").decode("latin-1"))


def urlsplit_netloc(origin: str) -> str:
    """The host and port of an origin; "" if it has none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def host_of(netloc: str) -> str:
    """The host in `host:port`, in lower case, without brackets and without a last dot."""
    netloc = netloc.strip().lower()
    host = netloc[1 : netloc.find("]")] if netloc.startswith("[") and "]" in netloc else netloc.partition(":")[0]
    return host.removesuffix(".")


def _port(netloc: str) -> str:
    last = netloc.rpartition("]")[2]
    return last.partition(":")[2].strip() or "80"


@lru_cache(maxsize=256)  # asked for every request
def _local(host: str) -> bool:
    if host.endswith(".localhost") or "." not in host:
        return True  # "localhost", "docker", an alias: a page of the internet has a name with a dot
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True  # a name of a page's own is what leads here; an address cannot be one
