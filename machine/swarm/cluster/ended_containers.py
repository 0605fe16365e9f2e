"""Containers that ended, as an event said, while their engine still lists them as running.

dockerd 20.10 sends the event first and brings its list up to date when the container's network is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from machine.swarm.cluster.container import Container
from machine.swarm.cluster.events import Effect

PAUSES = (0.1, 0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0, 4.0)  # seconds between looks; after them it was started again


class EndedContainers:
    """Those of one engine, each with the number of looks at it since its end."""

    def __init__(self) -> None:
        self._looks: dict[str, int] = {}

    def note(self, happened: Effect) -> None:
        """Take an event in. What follows the end of a container, as leaving its network, does not make it run again."""
        if happened.ended:
            self._looks[happened.id] = 0

    def look_again_at(
        self, ids: Iterable[str], containers: Mapping[str, Container], look: Callable[[str], None]
    ) -> None:
        """Call `look` a little later for each of these, just listed, that is said to run although it ended."""
        for key in ids:
            looks, container = self._looks.pop(key, len(PAUSES)), containers.get(key)
            if container is not None and container.state == "running" and looks < len(PAUSES):
                self._looks[key] = looks + 1
                asyncio.get_running_loop().call_later(PAUSES[looks], look, key)
