"""How the answer to a call is read, and for how long its engine may be silent. Pure."""

from __future__ import annotations

from typing import NamedTuple

from machine.swarm import limits
from machine.swarm.parsing.routes import ROUTES, Body
from machine.swarm.pipeline import Request


class Patience(NamedTuple):
    """Seconds: until the head of an answer, and between two pieces of its body. None = for ever."""

    head: float | None
    silent: float | None


FOR_EVER = Patience(None, None)
_PATIENCE = {
    Body.WHOLE: limits.ENGINE_SILENT_SECONDS,
    Body.TRANSFER: limits.ENGINE_TRANSFER_SECONDS,
    Body.OPEN: None,
}
_READING = {body: Patience(limits.ENGINE_HEAD_SECONDS, silent) for body, silent in _PATIENCE.items()}
_READING[Body.TRANSFER] = Patience(None, limits.ENGINE_TRANSFER_SECONDS)
_CHANGING = {body: Patience(None, silent) for body, silent in _PATIENCE.items()}
_STATS = ROUTES["GET", "/containers/{name}/stats"]


def body_of(request: Request) -> Body:
    """How the answer to a call is read; as a whole if the route is not known. Stats may be asked for once."""
    route = request.route
    if route is None:
        return Body.WHOLE
    once = route is _STATS and "stream" in request.query and not request.flag("stream")
    return Body.WHOLE if once else route.body


def patience_for(method: str, body: Body) -> Patience:
    """How long to wait for an engine. What changes something may take as long as it takes until its answer begins."""
    return (_READING if method in ("GET", "HEAD") else _CHANGING)[body]
