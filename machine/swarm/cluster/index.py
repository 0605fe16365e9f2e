"""Every container of the cluster, found by id, by name, by the beginning of an id. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Generic, TypeVar

from machine.swarm.cluster.container import ContainerRecord
from machine.swarm.cluster.name_index import NameIndex
from machine.swarm.resolve import only, pick_container
from machine.swarm.scheduler.compose_labels import former_names, service_of

C = TypeVar("C", bound=ContainerRecord[Any])
K = TypeVar("K")


class Index(Generic[C]):
    """The containers that were added and not dropped, by id and by name; each is in it once, whatever its names."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._ids: dict[str, list[C]] = {}  # more than one only while an engine is known by two addresses
        self._names: dict[str, list[C]] = {}
        self._swarm: dict[str, list[C]] = {}
        self._services: dict[tuple[str, str, str], list[C]] = {}  # see compose_labels.service_of
        self._former: dict[str, list[C]] = {}  # by the name that it had, as far as that is known
        self._order: list[C] | None = []
        self._name_index: NameIndex[C] | None = None
        self._now = now

    def __len__(self) -> int:
        return len(self.newest_first())

    def add(self, container: C) -> None:
        """Enter a new container, under its id and names."""
        self._ids.setdefault(container.id, []).append(container)
        shared = self._enter_names(container)
        if container.labels:
            if container.swarm_id:
                self._swarm.setdefault(container.swarm_id, []).append(container)
            if service := service_of(container.labels):
                self._services.setdefault(service, []).append(container)
        self._order = self._name_index = None
        if shared:
            self.settle(container.names)

    def drop(self, container: C) -> None:
        """Remove a container that is no more."""
        _remove(self._ids, container.id, container)
        _remove(self._swarm, container.swarm_id, container)
        if service := service_of(container.labels):
            _remove(self._services, service, container)
        for name in former_names(container.id, container.names, container.previous_name):
            _remove(self._former, name, container)
        for name in container.names:
            _remove(self._names, name, container)
        self._order = self._name_index = None
        self.settle(container.names)

    def update_names(self, container: C, old_names: Iterable[str]) -> None:
        """Enter the new names of a container; `old_names` are those that it had."""
        old_names = tuple(old_names)
        for name in old_names:
            _remove(self._names, name, container)
        for name in former_names(container.id, old_names, container.previous_name):
            _remove(self._former, name, container)
        if old_names != container.names and old_names:
            container.previous_name = old_names[0]
        self._enter_names(container)
        self._order = self._name_index = None
        self.settle((*old_names, *container.names))

    def settle(self, names: Iterable[str]) -> None:
        """Show containers of these names as NODE/NAME where NAME alone means another one or none. See `find`."""
        called = [self._names.get(name, ()) for name in names]
        if all([len(same) < 2 and not (same and same[0].qualified) for same in called]):  # noqa: C419 (asked very often)
            return  # nearly always: one container of each name, shown so
        found = {c for same in called for c in same}
        for container in found:
            container.qualify(any(self._only(name) is not container for name in container.names), self._now())

    def _only(self, name: str) -> C | None:
        """The container that is meant by a name; None if several may be."""
        found = self._names.get(name, [])
        if len(found) > 1:
            found = [c for c in found if c.engine.reachable]
        return found[0] if len(found) == 1 else None

    def newest_first(self) -> list[C]:
        """All containers, in the order in which engines list them. Not a copy."""
        if self._order is None:
            found = [container for same in self._ids.values() for container in same]
            found.reverse()  # of two made in the same second the one added later is the newer
            found.sort(key=attrgetter("created"), reverse=True)
            self._order = found
        return self._order

    def with_name_part(self, part: str) -> list[C]:
        """The containers that have a name with `part` in it (letters, not empty), newest first."""
        if self._name_index is None:
            self._name_index = NameIndex(self.newest_first())
        return self._name_index.containers_with(part)

    def freshen(self, containers: Iterable[C]) -> None:
        """Update the statuses of these containers that are out of date by now."""
        now = self._now()
        for container in [c for c in containers if c.status_valid_until <= now]:
            container.update_status(now)

    def with_id(self, key: str) -> list[C]:
        """The containers of exactly that id: several only while engines say that they have the same one."""
        return self._ids.get(key, [])

    def with_name(self, name: str) -> list[C]:
        """The containers of exactly that name, on whatever engine."""
        return self._names.get(name, [])

    def of_service(self, service: tuple[str, str, str]) -> list[C]:
        """The containers of one number of a Compose service (see compose_labels.service_of)."""
        return self._services.get(service, [])

    def formerly(self, name: str) -> list[C]:
        """The containers that had this name until they were renamed."""
        return self._former.get(name, [])

    def with_swarm_id(self, swarm_id: str) -> list[C]:
        """The containers with this swarm id: to the cluster they are one and the same."""
        return self._swarm.get(swarm_id, []) if swarm_id else []

    def with_prefix(self, start: str) -> list[C]:
        """The containers whose ids begin with `start`."""
        return [c for key, same in self._ids.items() if key.startswith(start) for c in same]

    def find(self, text: str) -> C | None:
        """The container that `text` means (machine.swarm.resolve), at last by its swarm id.

        Raises Ambiguous if several.
        """
        return pick_container(text, self) or only(text, self._swarm.get(text.lstrip("/"), ()))

    def _enter_names(self, container: C) -> bool:
        """Enter the names of a container; return whether another container has one of them."""
        shared = False
        for name in container.names:
            same = self._names.get(name)
            if same is None:
                self._names[name] = [container]
            else:
                same.append(container)
                shared = True
        for name in former_names(container.id, container.names, container.previous_name):
            self._former.setdefault(name, []).append(container)
        return shared


def _remove(table: dict[K, list[C]], key: K, container: C) -> None:
    found = table.get(key)
    if found and container in found:
        found.remove(container)
        if not found:
            del table[key]
