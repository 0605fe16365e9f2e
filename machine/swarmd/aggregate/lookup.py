"""Which engine a container or an exec is on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, Request
from machine.swarm.resolve import (
    FULL_ID,
    Ambiguous,
    EngineObject,
    EngineObjects,
    ObjectList,
    candidates,
    pick_container,
    pick_network,
    pick_volume,
    split_node,
)
from machine.swarmd.aggregate.members import AggregateEngine, Members

REMEMBERED = 10_000  # ids whose engine is remembered


Found = EngineObject[AggregateEngine]  # a container as its engine inspects it, a network or a volume


def matching(x: str, kind: str, answers: list[tuple[AggregateEngine, Any]]) -> Sequence[Found]:
    """Out of the engines' answers for a network or volume `x` those that `x` means, which all have one name.

    `kind` is "networks" or "volumes". Raises ApiError(404) if there are none, or if an id stands for several.
    """
    objects = EngineObjects((member, [answer]) for member, answer in answers)
    entries = pick_volume(x, objects) if kind == "volumes" else pick_network(x, objects)
    names = sorted({entry.names[0] for entry in entries})
    if len(names) != 1:
        raise ApiError(404, f"{kind[:-1]} {x} not found" if not names else f"{x} may be any of {', '.join(names[:5])}")
    return entries


class Lookup:
    """Asks the engines; remembers full ids, which never move."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self._seen: dict[str, AggregateEngine] = {}
        self._networks: dict[str, str] = {}  # id -> name
        self._volumes: dict[str, frozenset[str]] = {}  # name -> the engines that had it when it was last looked for

    def remember(self, identity: str, member: AggregateEngine) -> bool:
        """Note where a container or an exec is. False if another engine had that id first: it stays that one's."""
        if not FULL_ID.match(identity):
            return True  # nobody is asked for it: an id that looks like a name would stand in the way of the name
        owner = self._seen.setdefault(identity, member)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return owner is member

    def is_anothers(self, identity: str, member: AggregateEngine) -> bool:
        """Whether a container or an exec of that id is on another engine, as far as that is remembered."""
        return self._seen.get(identity, member) is not member

    def remember_network(self, identity: str, name: str) -> None:
        """Note what a network was called when a client was told of it."""
        self._networks.setdefault(identity, name)
        while len(self._networks) > REMEMBERED:
            del self._networks[next(iter(self._networks))]

    def check_name(self, member: AggregateEngine, identity: str, name: str) -> None:
        """Check what an engine calls a network.

        Raises ApiError(502) if a client was told another name: another network could be meant then.
        """
        known = self._networks.get(identity, name)
        if known != name:
            text = f"{member.name} calls the network {identity[:12]} {name} now, which was {known}: say it by its name"
            raise ApiError(502, text)

    def remember_volume(self, name: str, engines: Collection[str]) -> None:
        """Note which engines have volume `name`; none: it is gone."""
        self._volumes.pop(name, None)
        if engines:
            self._volumes[name] = frozenset(engines)
        while len(self._volumes) > REMEMBERED:
            del self._volumes[next(iter(self._volumes))]

    def volume_seen(self, name: str) -> frozenset[str]:
        """Return the engines that had volume `name` when it was last looked for."""
        return self._volumes.get(name, frozenset())

    async def owner(self, x: str) -> tuple[AggregateEngine, str]:
        """The engine of container `x`, and what to call it there.

        Raises ApiError(404) if nobody, or more than one, has it.
        """
        known = self._seen.get(x)
        if known is not None:
            return known, x
        place = await self.find(x)
        return place.engine, place.id

    async def find(self, x: str) -> Found:
        """The container that `x` means (machine.swarm.resolve).

        Raises ApiError(404) if nobody, or more than one, has it.
        """
        members = await self.members.present()
        node, name = split_node(x.lstrip("/"), {member.name for member in members}.__contains__)
        places = ObjectList(await self._ask(name, [member for member in members if not node or member.name == node]))
        for place in candidates(name, places):
            self.remember(place.id, place.engine)
        try:
            container = pick_container(name, places)
        except Ambiguous as error:
            raise ApiError(404, f"No such container: {error}") from error
        if container is None:
            absent = "".join(f"; {name} does not answer" for name, _ in self.members.absent())
            raise ApiError(404, f"No such container: {x}{absent}")
        return container

    async def container_named(self, name: str) -> Found | None:
        """The container of exactly that name, on whichever engine."""
        named = ObjectList(await self._ask(name, await self.members.present())).with_name(name)
        return named[0] if named else None

    async def exec_owner(self, identity: str) -> AggregateEngine:
        """The engine that runs an exec. Raises ApiError(404) if there is none."""
        if identity in self._seen:
            return self._seen[identity]
        for member in await self.members.engines_with(f"/exec/{identity}/json"):
            self.remember(identity, member)
            return member
        raise ApiError(404, f"No such exec instance: {identity}")

    async def named_objects(self, kind: str, x: str) -> list[tuple[AggregateEngine, str]]:
        """Return who has a network or volume `x` and under which name; `kind` = networks or volumes.

        Raises ApiError(404) if nobody has it.

        One engine's word for what an id stands for decides about the networks of all: it has to be what a client was
        told before, if it was, and what all say that know the id.
        """
        node, name = split_node(x, {member.name for member in await self.members.present()}.__contains__)
        if node:
            return [
                (member, local_id) for member, local_id in await self.named_objects(kind, name) if member.name == node
            ]
        entries = matching(x, kind, await self.members.get_json_from_all(Request("GET", build("", f"/{kind}/{x}"))))
        name = entries[0].names[0]
        if kind == "networks" and name != x:  # an id: the same network has others on the other engines
            self.check_name(entries[0].engine, entries[0].id, name)
            try:
                entries = matching(
                    name, kind, await self.members.get_json_from_all(Request("GET", build("", f"/{kind}/{name}")))
                )
            except ApiError as error:
                self.members.log(error.message)
        return [(entry.engine, entry.names[0]) for entry in entries]

    async def _ask(self, x: str, members: list[AggregateEngine]) -> list[Found]:
        if not x or not members:
            return []
        request = Request("GET", build("", f"/containers/{x}/json"))
        try:
            return [
                EngineObject(member, entry) for member, entry in await self.members.get_json_from_all(request, members)
            ]
        except ApiError:
            return []
