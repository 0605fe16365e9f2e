"""Names of containers that are being given: names are unique over all engines, and a create takes its time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from machine.swarm.pipeline import ApiError

HEX_ID = re.compile(r"[0-9a-f]{64}\Z")


def conflict(name: str, owner: str = "") -> ApiError:
    """Return the refusal of a name that somebody has, in classic Swarm's words; `owner` says who, if that is known."""
    assigned = f"assigned to {owner}" if owner else "assigned"
    text = (
        f"Conflict: The name {name} is already {assigned}. You have to delete (or rename) that container to be able to "
        f"assign {name} to a container again."
    )
    return ApiError(409, text)


def check_name(name: str) -> None:
    """Raises ApiError(400) for a name that would be mistaken for another container's id."""
    if HEX_ID.match(name):
        text = f"invalid container name ({name}), cannot specify 64-byte hexadecimal strings: they are ids"
        raise ApiError(400, text)


class NameReservations:
    """The names that are being given to containers just now."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @contextmanager
    def reserve(self, name: str, *, in_use: bool = False) -> Iterator[None]:
        """Have the name within the block; "" is no name.

        Raises ApiError(409) if it is `in_use`, or being given already.
        """
        if name and (in_use or name in self._names):
            raise conflict(name)
        self._names.add(name)
        try:
            yield
        finally:
            self._names.discard(name)
