"""How a simulated engine words its answers, and reads what it is sent."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from machine.swarm.pipeline import ApiError


class Response(NamedTuple):
    """An answer. `until` set: the answer comes when that container has ended; `events`: the event stream follows."""

    status: int = 200
    body: bytes = b""
    events: bool = False
    until: str = ""


def with_default_tag(name: str) -> str:
    """An image's name as engines list it: with its tag, without the default registry."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name or not name else name + ":latest"


def value_of(body: bytes) -> Any:
    """A body as JSON, None if empty. Raises ApiError(400) if it is no JSON."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise ApiError(400, f"invalid JSON: {error}") from error


def dump(value: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def json_response(value: Any, status: int = 200) -> Response:
    """JSON as an answer."""
    return Response(status, dump(value))
