"""Which headers travel through a proxy and which belong to one connection only. Pure.

RFC 9110 section 7.6.1 (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from machine.swarm.pipeline import Headers

if TYPE_CHECKING:
    import h11

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 section 5.6.2
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]+")  # a line end would begin another header, or the body

HOP = frozenset(
    (
        b"connection",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
    )
)

_NOT_FORWARDED = HOP | {b"content-length"}


def headers_of(event: h11.Request | h11.Response | h11.InformationalResponse) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that were read, names in lower case: what going through `event.headers` gives, but at once."""
    return tuple([(name.lower(), value) for name, value in event.headers.raw_items()])


def forwardable_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """What goes on to the next hop: no header of this hop, none that `Connection` names, no length.

    Values are on one line whoever made them, an engine's answer or a backend's; what cannot be a name is left out.
    """
    left_out = _NOT_FORWARDED
    for name, value in headers:
        if name == b"connection":
            left_out = left_out | {word.strip() for word in value.lower().split(b",")}
    found = [(name, value.strip()) for name, value in headers if name not in left_out and _is_name(name)]
    if _CONTROL.search(b"".join([value for _, value in found])):
        return [(name, _CONTROL.sub(b" ", value).strip()) for name, value in found]
    return found


@lru_cache(maxsize=1024)  # there are a few dozen, and each comes with every call
def _is_name(name: bytes) -> bool:
    return _NAME.match(name) is not None


def length(headers: Headers) -> int | None:
    """The value of Content-Length, None without one."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def wire_head(first_line: bytes, headers: Headers) -> bytes:
    """A head as text for the wire, for answers that h11 must not frame."""
    lines = [first_line, *(name + b": " + _CONTROL.sub(b" ", value) for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"
