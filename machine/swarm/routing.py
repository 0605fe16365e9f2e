"""What kind of answer a call gets, and for how long its engine may be silent. Pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from machine.swarm import limits
from machine.swarm.chain import Request


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


def kind_of(request: Request) -> Kind:
    """The kind of the answer to a call."""
    path = request.path
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
    kind = kind_of(request)
    reads = request.method in ("GET", "HEAD") and kind is not Kind.TRANSFER
    head = limits.ENGINE_HEAD_SECONDS if reads else None
    if kind is Kind.OPEN:
        return Patience(head, None)
    return Patience(head, limits.ENGINE_TRANSFER_SECONDS if kind is Kind.TRANSFER else limits.ENGINE_SILENT_SECONDS)
