"""Containers that ended, as an event said, while their engine still lists them as running.

dockerd 20.10 sends the event first and brings its list up to date when the container's network is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from machine.swarm.cluster.container import ContainerRecord
from machine.swarm.events import Effect

PAUSES = (0.1, 0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0, 4.0)  # seconds between attempts; after them it was started again


class EndedContainers:
    """The ended containers of one engine, each with the number of attempts at it since its end."""

    def __init__(self) -> None:
        self._attempts: dict[str, int] = {}

    def note(self, effect: Effect) -> None:
        """Take an event in. What follows the end of a container, as leaving its network, does not make it run again."""
        if effect.ended:
            self._attempts[effect.id] = 0

    def refresh_later(
        self, ids: Iterable[str], containers: Mapping[str, ContainerRecord[Any]], refresh: Callable[[str], None]
    ) -> None:
        """Call `refresh` a little later for each of these, just listed, that is said to run although it ended."""
        for key in ids:
            attempts, container = self._attempts.pop(key, len(PAUSES)), containers.get(key)
            if container is not None and container.state == "running" and attempts < len(PAUSES):
                self._attempts[key] = attempts + 1
                asyncio.get_running_loop().call_later(PAUSES[attempts], refresh, key)
