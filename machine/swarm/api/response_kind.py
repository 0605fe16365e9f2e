"""How the answer to a call is read, and for how long its engine may be silent. Pure."""

from __future__ import annotations

from typing import NamedTuple

from machine.swarm import limits
from machine.swarm.parsing.routes import ROUTES, Body
from machine.swarm.pipeline import Request


class TimeLimits(NamedTuple):
    """Seconds: until the head of an answer, and between two pieces of its body. None = for ever."""

    head: float | None
    silent: float | None


NO_TIME_LIMITS = TimeLimits(None, None)
_SILENT_SECONDS = {
    Body.WHOLE: limits.ENGINE_SILENT_SECONDS,
    Body.TRANSFER: limits.ENGINE_TRANSFER_SECONDS,
    Body.OPEN: None,
}
_READING = {body: TimeLimits(limits.ENGINE_HEAD_SECONDS, silent) for body, silent in _SILENT_SECONDS.items()}
_READING[Body.TRANSFER] = TimeLimits(None, limits.ENGINE_TRANSFER_SECONDS)
_CHANGING = {body: TimeLimits(None, silent) for body, silent in _SILENT_SECONDS.items()}
_STATS = ROUTES["GET", "/containers/{name}/stats"]


def body_of(request: Request) -> Body:
    """How the answer to a call is read; as a whole if the route is not known. Stats may be asked for once."""
    route = request.route
    if route is None:
        return Body.WHOLE
    once = route is _STATS and "stream" in request.query and not request.flag("stream")
    return Body.WHOLE if once else route.body


def time_limits_for(method: str, body: Body) -> TimeLimits:
    """Return how long an engine may be silent. A call that changes something has no limit until its answer begins."""
    return (_READING if method in ("GET", "HEAD") else _CHANGING)[body]
