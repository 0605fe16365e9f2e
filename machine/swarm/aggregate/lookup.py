"""Which engine a container or an exec is on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from machine.swarm.aggregate.members import Member, Members
from machine.swarm.chain import Refused, Request
from machine.swarm.target import build

REMEMBERED = 10_000  # ids whose engine is remembered
_FULL_ID = re.compile(r"[0-9a-f]{64}\Z")


class Place(NamedTuple):
    """A container and where it is."""

    member: Member
    container: dict[str, Any]

    @property
    def id(self) -> str:
        """Its full id."""
        return str(self.container.get("Id", ""))


class Lookup:
    """Asks the engines; remembers full ids, which never move."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self._seen: dict[str, Member] = {}
        self._volumes: dict[str, frozenset[str]] = {}  # name -> the engines that had it when it was last looked for

    def remember(self, identity: str, member: Member) -> None:
        """Where a container or an exec is."""
        self._seen[identity] = member
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

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

    async def owner(self, x: str) -> tuple[Member, str]:
        """The engine of container `x`, and what to call it there. Refused(404) if nobody, or more than one, has it."""
        known = self._seen.get(x)
        if known is not None:
            return known, x
        place = await self.find(x)
        return place.member, place.id

    async def find(self, x: str) -> Place:
        """The container that is called `x`: an id, a name, NODE/NAME, or the beginning of an id; in this order."""
        members = await self.members.present()
        node, slash, name = x.rpartition("/")
        if slash and node:
            members = [member for member in members if member.name == node]
            x = name
        places = await self._ask(x, members)
        for place in places:
            self.remember(place.id, place.member)
        exact = [p for p in places if p.id == x] or [p for p in places if p.container.get("Name") == f"/{x}"] or places
        if len(exact) == 1:
            return exact[0]
        if exact:
            names = " or ".join(f"{p.member.name}{p.container.get('Name')}" for p in exact)
            raise Refused(404, f"{x} is on more than one engine: say {names}")
        away = "".join(f"; {name} does not answer" for name, _ in self.members.absent())
        raise Refused(404, f"No such container: {x}{away}")

    async def taken(self, name: str) -> Place | None:
        """The container of exactly that name, on whichever engine."""
        for place in await self._ask(name, await self.members.present()):
            if place.container.get("Name") == f"/{name}":
                return place
        return None

    async def exec_owner(self, identity: str) -> Member:
        """The engine that runs an exec. Refused(404)."""
        if identity in self._seen:
            return self._seen[identity]
        members = await self.members.present()
        found = await asyncio.gather(*(member.has(build("", f"/exec/{identity}/json")) for member in members))
        for member, has in zip(members, found):  # noqa: B905 (strict= came with Python 3.10)
            if has:
                self.remember(identity, member)
                return member
        raise Refused(404, f"No such exec instance: {identity}")

    async def _ask(self, x: str, members: list[Member]) -> list[Place]:
        if not x or not members:
            return []
        request = Request("GET", build("", f"/containers/{x}/json"))
        try:
            return [Place(member, found) for member, found in await self.members.ask(request, members)]
        except Refused:
            return []
