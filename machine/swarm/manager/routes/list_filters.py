"""The filters of `ps`, checked as dockerd checks them: https://docs.docker.com/reference/api/engine/ (ContainerList).

Pure. What is wrong is told before anything is looked for, whether or not there is a container that it would apply to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from machine.swarm.parsing.booleans import FILTER_FALSE, FILTER_TRUE
from machine.swarm.pipeline import ApiError

KNOWN = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
    "node", "publish", "since", "status", "volume",
)  # fmt: skip
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")
TASK = "com.docker.swarm.task"  # a container with this label is a task of a service of swarm mode
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}\Z")  # what fits into 64 bits
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?\Z", re.IGNORECASE)


def check(filters: Mapping[str, Sequence[str]]) -> None:
    """Raises ApiError(400) for a filter that does not exist, or a value that makes no sense for it."""
    for name, values in filters.items():
        if name not in KNOWN:
            raise ApiError(400, f"invalid filter '{name}'")
        for value in values:
            if not _makes_sense(name, value):
                raise ApiError(400, f"invalid filter '{name}={value}'")


def _makes_sense(name: str, value: str) -> bool:
    if name == "status":
        return value in STATES
    if name == "health":
        return value in HEALTH
    if name == "exited":
        return _NUMBER.match(value) is not None
    if name == "is-task":
        return value in FILTER_TRUE + FILTER_FALSE
    if name in ("publish", "expose"):
        return ports(value) is not None
    return True


def ports(text: str) -> tuple[int, int, str] | None:
    """The first and last port and the protocol that `80`, `80/udp` or `80-90/tcp` means; None if it means none."""
    found = _PORTS.match(text)
    if found is None:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    return (first, last, (found[3] or "tcp").lower()) if first <= last <= 65535 else None


def limit(text: str) -> int:
    """The argument `limit`: how many to list at most, 0 or less for all.

    Raises ApiError(400) if it is no whole number.
    """
    if text and not _NUMBER.match(text):
        raise ApiError(400, f"invalid limit '{text[:40]}': it is a whole number")
    return int(text or "0")
