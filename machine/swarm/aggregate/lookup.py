"""Which engine a container or an exec is on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from machine.swarm.aggregate.members import Member, Members
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import Refused, Request

REMEMBERED = 10_000  # ids whose engine is remembered
_BEGINNING = re.compile(r"[0-9a-f]{1,64}\Z|[0-9a-z]{25}\Z")  # of a network's id; those of swarm mode are shorter
_FULL_ID = re.compile(r"[0-9a-f]{64}\Z")
_SHORT_ID = re.compile(r"[0-9a-f]{12,63}\Z")  # as `docker ps` prints it: no name takes it from a container


class ContainerLocation(NamedTuple):
    """A container and where it is."""

    member: Member
    container: dict[str, Any]

    @property
    def id(self) -> str:
        """Its full id."""
        return str(self.container.get("Id", ""))

    def is_called(self, name: str) -> bool:
        """Whether that is its whole name."""
        return str(self.container.get("Name")).lstrip("/") == name


def select_matches(x: str, kind: str, said: list[tuple[Member, Any]]) -> list[tuple[Member, Any]]:
    """Out of the engines' answers for a network or volume `x` those of what is called so, or else has such an id.

    Refused(404) if there are none, or if the id stands for several.
    """
    called = [(member, answer) for member, answer in said if answer.get("Name") == x]
    if called:
        return called
    found = [
        (member, answer)
        for member, answer in said
        if kind == "networks" and _BEGINNING.match(x) and str(answer.get("Id")).startswith(x)
    ]
    names = sorted({str(answer.get("Name")) for _, answer in found})
    if len(names) != 1:
        raise Refused(404, f"{kind[:-1]} {x} not found" if not names else f"{x} may be any of {', '.join(names[:5])}")
    return found


class Lookup:
    """Asks the engines; remembers full ids, which never move."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self._seen: dict[str, Member] = {}
        self._networks: dict[str, str] = {}  # id -> name
        self._volumes: dict[str, frozenset[str]] = {}  # name -> the engines that had it when it was last looked for

    def remember(self, identity: str, member: Member) -> bool:
        """Note where a container or an exec is. False if another engine had that id first: it stays that one's."""
        if not _FULL_ID.match(identity):
            return True  # nobody is asked for it: an id that looks like a name would stand in the way of the name
        owner = self._seen.setdefault(identity, member)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return owner is member

    def is_anothers(self, identity: str, member: Member) -> bool:
        """Whether a container or an exec of that id is on another engine, as far as that is remembered."""
        return self._seen.get(identity, member) is not member

    def remember_network(self, identity: str, name: str) -> None:
        """Note what a network was called when a client was told of it."""
        self._networks.setdefault(identity, name)
        while len(self._networks) > REMEMBERED:
            del self._networks[next(iter(self._networks))]

    def check_name(self, member: Member, identity: str, name: str) -> None:
        """Refused(502) if an engine calls a network otherwise than a client was told: another could be meant then."""
        told = self._networks.get(identity, name)
        if told != name:
            text = f"{member.name} calls the network {identity[:12]} {name} now, which was {told}: say it by its name"
            raise Refused(502, text)

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

    async def find(self, x: str) -> ContainerLocation:
        """The container that is called `x`: an id, a name, NODE/NAME, or the beginning of an id; in this order."""
        members = await self.members.present()
        node, slash, name = x.rpartition("/")
        if slash and node:
            members = [member for member in members if member.name == node]
            x = name
        places = [p for p in await self._ask(x, members) if p.is_called(x) or p.id.startswith(x)]
        for place in places:
            self.remember(place.id, place.member)
        known = [p for p in places if p.id == x and _FULL_ID.match(x)]
        called = [p for p in places if p.is_called(x)]
        exact = known or (places if _SHORT_ID.match(x) else called or places)
        if len(exact) == 1:
            return exact[0]
        if exact:
            names = " or ".join(f"{p.member.name}{p.container.get('Name')}" for p in exact)
            raise Refused(404, f"{x} is on more than one engine: say {names}")
        away = "".join(f"; {name} does not answer" for name, _ in self.members.absent())
        raise Refused(404, f"No such container: {x}{away}")

    async def taken(self, name: str) -> ContainerLocation | None:
        """The container of exactly that name, on whichever engine."""
        for place in await self._ask(name, await self.members.present()):
            if place.is_called(name):
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

    async def _ask(self, x: str, members: list[Member]) -> list[ContainerLocation]:
        if not x or not members:
            return []
        request = Request("GET", build("", f"/containers/{x}/json"))
        try:
            return [ContainerLocation(member, found) for member, found in await self.members.ask(request, members)]
        except Refused:
            return []
