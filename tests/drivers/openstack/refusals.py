"""What the services of a fake OpenStack refuse with."""

from __future__ import annotations

import uuid
from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer that is none of success; `kind` is what its body calls it."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def new_id() -> str:
    return str(uuid.uuid4())


def bad(message: str) -> Refusal:
    return Refusal(400, "badRequest", message)
