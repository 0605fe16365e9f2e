"""What the scheduler knows of an engine and of the containers on it. Pure; the cluster keeps it up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from machine.swarm import limits
from machine.swarm.api.scope import ANY_ADDRESS
from machine.swarm.scheduler.placement_request import PlacementRequest, Port, listed_port
from machine.swarm.scheduler.references import joined_networks, mounted_volumes

ENDED = frozenset(("exited", "dead"))  # states of a container that ran and does not any more
NO_IDS: frozenset[str] = frozenset()


class ScheduledContainer(Protocol):
    """A container as far as scheduling goes."""

    @property
    def id(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]:
        """The names without their leading slash."""

    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def cpus(self) -> int:
        """Whole CPUs reserved."""

    @property
    def memory(self) -> int:
        """Bytes reserved."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """Ports of the host that it has, or will have when started."""

    @property
    def exposed(self) -> frozenset[str]:
        """Ports it listens on in host mode ("80/tcp"); empty in any other mode."""

    @property
    def inspected(self) -> bool:
        """Whether its reservation and its ports are known yet."""

    @property
    def ended(self) -> bool:
        """Whether it ran and does not any more."""

    @property
    def volumes(self) -> tuple[str, ...]:
        """Names of the volumes that it mounts."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names and ids of the networks that it is in, without those that every engine has."""


@dataclass(frozen=True, slots=True)
class PlainContainer:
    """A container as plain values: one that is being made, which counts already."""

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    cpus: int = 0
    memory: int = 0
    ports: tuple[Port, ...] = ()
    exposed: frozenset[str] = frozenset()
    inspected: bool = True
    ended: bool = False
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @classmethod
    def in_creation(cls, key: str, request: PlacementRequest, labels: Mapping[str, str]) -> PlainContainer:
        """Return what `request` will take, under the key `key`."""
        return cls(
            key,
            (request.name,) if request.name else (),
            labels,
            request.cpus,
            request.memory,
            request.ports,
            request.exposed if request.host_mode else frozenset(),
            volumes=request.volumes,
            networks=request.networks,
        )


class ListedContainer:
    """A container of GET /containers/json, which says nothing of reservations; what it says is read when asked for."""

    __slots__ = ("_entry", "id")
    cpus = memory = 0
    exposed: frozenset[str] = frozenset()
    inspected = True

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._entry = entry
        self.id = str(entry.get("Id") or "")

    @property
    def names(self) -> tuple[str, ...]:
        """The container's names without their leading slash."""
        return tuple(str(name).lstrip("/") for name in self._entry.get("Names") or ())

    @property
    def labels(self) -> Mapping[str, str]:
        """The container's labels."""
        return self._entry.get("Labels") or {}

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports of the host that the entry lists."""
        return tuple(port for port in map(listed_port, self._entry.get("Ports") or ()) if port)

    @property
    def ended(self) -> bool:
        """Whether the container ran and does not any more."""
        return self._entry.get("State") in ENDED

    @property
    def volumes(self) -> tuple[str, ...]:
        """The names of the volumes that the container mounts."""
        return mounted_volumes(self._entry.get("Mounts"))

    @property
    def networks(self) -> tuple[str, ...]:
        """The names and ids of the container's networks, without those that every engine has."""
        return joined_networks(self._entry)


class FreedResources(NamedTuple):
    """What containers give back when they go."""

    cpus: int
    memory: int  # bytes
    slots: int  # the containers themselves


@dataclass(slots=True, eq=False)
class Node:
    """An engine, as filters and strategies see it. After changing `containers` or `creating` call `invalidate`.

    `health_score` is 100 for a healthy engine without failures since its last success, less with each failure, 0 for an
    unhealthy one.
    """

    name: str
    address: str = ""  # host:port
    ip: str = ""
    id: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    cpus: int = 0  # with the overcommit, as is `memory`
    memory: int = 0  # bytes
    healthy: bool = True
    failures: int = 0  # since its last success
    retry: int = 3  # so many failures make it unhealthy
    images: frozenset[str] = frozenset()  # ids, repo:tag, and repo
    containers: Mapping[str, ScheduledContainer] = field(default_factory=dict)
    creating: dict[str, ScheduledContainer] = field(default_factory=dict)  # being made there, by their ids in the swarm
    owner: Any = None  # the caller's own object for the engine
    health_score: int = field(default=0, init=False)
    count: int = field(default=0, init=False)  # containers in any state, those being made too
    _used: tuple[int, int] | None = None
    _port_holders: dict[tuple[str, int], list[tuple[str, ScheduledContainer]]] | None = None

    def __post_init__(self) -> None:
        self.update_health(self.healthy, self.failures)
        self.invalidate()

    def update_health(self, healthy: bool, failures: int) -> None:
        """Set whether the engine is healthy, how often it failed since a success, and `health_score` from that."""
        self.healthy, self.failures = healthy, failures
        self.health_score = max(100 - failures * 100 // self.retry, 0) if healthy else 0

    def invalidate(self) -> None:
        """Forget the sums: containers, or what is known of them, have changed. They are counted again at once."""
        self._used = self._port_holders = None
        self.count = len(self.containers) + len(self.creating)

    @property
    def slots(self) -> int | None:
        """The most containers it takes (label containerslots); None = no limit, as for a label that is no number."""
        text = self.labels.get("containerslots")
        try:
            return None if text is None else int(text)
        except ValueError:
            return None

    @property
    def used(self) -> tuple[int, int]:
        """CPUs and bytes reserved, by stopped containers too."""
        if self._used is None:
            held = list(self.all_containers())
            self._used = (sum(c.cpus for c in held), sum(c.memory for c in held))
        return self._used

    @property
    def all_inspected(self) -> bool:
        """Whether every container's reservation and ports are known."""
        return all(container.inspected for container in self.containers.values())

    def all_containers(self) -> Iterable[ScheduledContainer]:
        """The node's containers, those being made last."""
        yield from self.containers.values()
        yield from self.creating.values()

    def has_any(self, ids: frozenset[str]) -> bool:
        """Whether one of these containers is here."""
        return not ids.isdisjoint(self.containers)

    def resources_of(self, ids: frozenset[str]) -> FreedResources:
        """What these containers will give back."""
        gone = [container for key, container in self.containers.items() if key in ids] if ids else []
        return FreedResources(sum(c.cpus for c in gone), sum(c.memory for c in gone), len(gone))

    def _find_port_holders(self) -> dict[tuple[str, int], list[tuple[str, ScheduledContainer]]]:
        """Protocol and number -> addresses and who has them; where there are more than there can be, the first ones."""
        holders: dict[tuple[str, int], list[tuple[str, ScheduledContainer]]] = {}
        count = 0
        for container in self.all_containers():
            for port in container.ports:
                for number in range(max(port.first, 0), min(port.last, 65535) + 1):
                    holders.setdefault((port.protocol, number), []).append((port.ip, container))
                count += max(port.last - port.first, 0) + 1
                if count > limits.ENGINE_PORTS:
                    return holders
        return holders

    def is_free(self, binding: Port, ignored_ids: frozenset[str] = NO_IDS, *, ended_count: bool = True) -> bool:
        """Whether one of the ports wanted is taken by no container on the same address or on all addresses.

        Containers in `ignored_ids` do not count, nor those that have ended if `ended_count` is False.
        """
        return self.holder(binding, ignored_ids, ended_count=ended_count) is None

    def holder(
        self, binding: Port, ignored_ids: frozenset[str] = NO_IDS, *, ended_count: bool = True
    ) -> ScheduledContainer | None:
        """A container that has the last of the ports wanted, if all of them are taken; None if one is free."""
        holder: ScheduledContainer | None = None
        if self._port_holders is None:
            self._port_holders = self._find_port_holders()
        for number in range(binding.first, binding.last + 1):
            holder = None
            for ip, container in self._port_holders.get((binding.protocol, number), ()):
                counts = container.id not in ignored_ids and (ended_count or not container.ended)
                if counts and (ip == binding.ip or ip in ANY_ADDRESS or binding.ip in ANY_ADDRESS):
                    holder = container
                    break
            if holder is None:
                return None
        return holder
