"""What kind of answer a call gets, and for how long its engine may be silent. Pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from machine.swarm import limits
from machine.swarm.pipeline import Request


class Kind(Enum):
    """How an answer is read."""

    WHOLE = "whole"  # JSON, or a few words
    TRANSFER = "transfer"  # an archive: of any size, but it goes on coming
    OPEN = "open"  # a stream that may be silent for as long as it likes


class Patience(NamedTuple):
    """Seconds: until the head of an answer, and between two pieces of its body. None = for ever."""

    head: float | None
    silent: float | None


_OPEN_GET = re.compile(r"/(events|containers/.+/(logs|stats|attach/ws))\Z")
_TRANSFER_GET = re.compile(r"/(images/get|images/.+/get|containers/.+/(export|archive))\Z")
_OPEN_POST = re.compile(
    r"/(build|session|grpc|images/create|images/load|images/.+/push|containers/.+/(attach|wait|copy)|exec/.+/start"
    r"|plugins/(pull|create)|plugins/.+/(push|upgrade))\Z"
)
# how every path of the three above ends: most calls are known to be none of them by that alone
_ENDS = frozenset(
    (
        "events", "logs", "stats", "ws", "get", "export", "archive", "build", "session", "grpc", "create", "load",
        "push", "attach", "wait", "copy", "start", "pull", "upgrade",
    )
)  # fmt: skip
FOR_EVER = Patience(None, None)
_PATIENCE = {
    Kind.WHOLE: limits.ENGINE_SILENT_SECONDS,
    Kind.TRANSFER: limits.ENGINE_TRANSFER_SECONDS,
    Kind.OPEN: None,
}
_READING = {kind: Patience(limits.ENGINE_HEAD_SECONDS, silent) for kind, silent in _PATIENCE.items()}
_READING[Kind.TRANSFER] = Patience(None, limits.ENGINE_TRANSFER_SECONDS)
_CHANGING = {kind: Patience(None, silent) for kind, silent in _PATIENCE.items()}


def kind_of(request: Request) -> Kind:
    """The kind of the answer to a call."""
    path = request.path
    if path[path.rfind("/") + 1 :] not in _ENDS:
        return Kind.WHOLE
    if request.method == "GET":
        if _OPEN_GET.match(path):
            once = path.endswith("/stats") and "stream" in request.query and not request.flag("stream")
            return Kind.WHOLE if once else Kind.OPEN
        return Kind.TRANSFER if _TRANSFER_GET.match(path) else Kind.WHOLE
    if request.method == "POST" and _OPEN_POST.match(path):
        return Kind.OPEN
    return Kind.WHOLE


def patience_for(request: Request) -> Patience:
    """How long to wait for an engine. What changes something may take as long as it takes until its answer begins."""
    table = _READING if request.method in ("GET", "HEAD") else _CHANGING
    return table[kind_of(request)]
