"""The backend contract: all that a backend of another Python package imports from this program (docs/add-a-backend.md).

What is listed in ``__all__`` keeps its name and meaning; every other module may change with any release.
"""

from __future__ import annotations

from machine.errors import UsageError
from machine.swarm.pipeline import (
    ApiError,
    Backend,
    Body,
    CallNext,
    Headers,
    Hijack,
    NotConnected,
    Reply,
    Request,
    Unreachable,
)
from machine.swarmd.backends.registry import BackendContext

__all__ = [
    "ApiError",
    "Backend",
    "BackendContext",
    "Body",
    "CallNext",
    "Headers",
    "Hijack",
    "NotConnected",
    "Reply",
    "Request",
    "Unreachable",
    "UsageError",
]
