"""The names of many containers as one text: a part of a name is found without a look at each of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from machine.swarm.cluster.container import ContainerRecord

C = TypeVar("C", bound=ContainerRecord[Any])
_MANY = 8  # one in so many containers: then to look at each is the quicker way


class NameIndex(Generic[C]):
    """The names of the containers in `order`, as they are now: make another one when a name, or the order, changes."""

    __slots__ = ("_lines", "_order", "_text")

    def __init__(self, order: Sequence[C]) -> None:
        self._order = order
        self._lines = ["/".join(container.names) for container in order]  # no name has a slash or a line end
        self._text = "\n".join(self._lines)

    def containers_with(self, part: str) -> list[C]:
        """Those that have a name with `part` in it, which is not empty and has neither a slash nor a line end."""
        text = self._text
        if text.count(part) * _MANY > len(self._lines):
            return [container for container, line in zip(self._order, self._lines, strict=True) if part in line]
        found = []
        number = seen = 0  # of the line, and where it begins or the one before it ends
        while (place := text.find(part, seen)) >= 0:
            number += text.count("\n", seen, place)
            found.append(self._order[number])
            seen = text.find("\n", place)
            if seen < 0:
                break
        return found
