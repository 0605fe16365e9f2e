"""Which listeners a call has come through: one that meets its own mark again is refused, or it would go round for ever.

The marks travel in the header Via (RFC 9110, section 7.6.3, https://www.rfc-editor.org/rfc/rfc9110#section-7.6.3) and
here in the context of the task that answers a call, so that the calls which a backend makes by itself have them too.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar

from machine.swarm.pipeline import ApiError, Headers

_VIA = b"via"
_so_far: ContextVar[tuple[bytes, ...]] = ContextVar("visited", default=())


def new_listener_id() -> bytes:
    """A listener's own: nobody else has the same."""
    return b"1.1 machine-" + secrets.token_hex(6).encode()


def record_visit(own: bytes, headers: Headers) -> None:
    """A call has come to the listener `own`. Raises ApiError(508) if it has been here before."""
    before = tuple(value for name, value in headers if name == _VIA)
    if any(own in map(bytes.strip, value.split(b",")) for value in before):
        raise ApiError(
            508,
            "this call comes back to where it came from: an engine's address in this pipeline, or in one behind it, is"
            " that of this listener",
        )
    _so_far.set((*before, own))


def header() -> list[tuple[bytes, bytes]]:
    """What the next hop is told; nothing for calls that no client has asked for."""
    found = _so_far.get()
    return [(_VIA, b", ".join(found))] if found else []
