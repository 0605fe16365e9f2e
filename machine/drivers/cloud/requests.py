"""Bodies of requests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def filled(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a body that say something: without None, False, 0, and empty texts, lists and objects."""
    return {key: value for key, value in body.items() if value}
