"""Whether an engine counts as reachable: a state machine over single successes and failures. Pure.

Pending (not reached yet) -> Healthy -> Unhealthy after `retry` failures in a row -> Healthy at the next success.
An engine that has left the discovery is Disconnected: the cluster sets that.
"""

from __future__ import annotations

from enum import StrEnum

LONGEST_PAUSE = 10.0  # seconds between two tries at an engine that does not answer


class Health(StrEnum):
    """The state of an engine, in the words that `info` shows."""

    PENDING = "Pending"
    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    GONE = "Disconnected"


class HealthTracker:
    """The health of an engine, from its answers and failures. `error` is why it is not healthy, "" if it is."""

    def __init__(self, retry: int = 3, pace: float = 1.0) -> None:
        """`retry` failures in a row make it unhealthy; `pace` is a factor for the pauses between tries."""
        self.retry = retry
        self.pace = pace
        self.state = Health.PENDING
        self.failures = 0
        self.error = ""

    def success(self) -> str:
        """Note that the engine answered; return the event that this is: engine_connect, engine_reconnect, or ""."""
        before, self.state = self.state, Health.HEALTHY
        self.failures, self.error = 0, ""
        return {Health.PENDING: "engine_connect", Health.UNHEALTHY: "engine_reconnect"}.get(before, "")

    def failure(self, reason: str) -> str:
        """Note that it did not; return engine_disconnect if that made it unhealthy, else ""."""
        self.failures += 1
        self.error = reason
        if self.state is Health.HEALTHY and self.failures >= self.retry:
            self.state = Health.UNHEALTHY
            return "engine_disconnect"
        return ""

    @property
    def pause(self) -> float:
        """Seconds to wait before the next try."""
        return min(self.failures + 1, LONGEST_PAUSE) * self.pace
