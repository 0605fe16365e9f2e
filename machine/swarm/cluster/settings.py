"""How a manager is to behave: classic Swarm's flags of `manage`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from machine.swarm.scheduler.filters import DEFAULT_FILTERS


@dataclass(frozen=True, slots=True)
class Settings:
    """classic Swarm's flags of `manage`; times in seconds, overcommit in percent."""

    strategy: str = "spread"
    filters: Sequence[str] = DEFAULT_FILTERS
    overcommit: int = 5
    createretry: int = 0
    refresh_min: float = 30.0
    refresh_max: float = 60.0
    retry: int = 3
    heartbeat: float = 60.0
    cors: bool = False
    pace: float = 1.0  # stretches the pauses between tries at an engine that does not answer
