"""What the engines of an aggregate have, asked for one call: the scheduler sees them as a manager's engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from machine.swarm.api.responses import EngineReply
from machine.swarm.merge.values import object_of, objects
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import ApiError, Request
from machine.swarm.placing.relocate import is_empty
from machine.swarm.scheduler.node import ListedContainer, Node
from machine.swarm.scheduler.placement_request import RequiredObject
from machine.swarm.scheduler.references import PROJECT
from machine.swarmd.aggregate.members import AggregateEngine, Members


class EngineSnapshot:
    """One engine that answers, with its containers; the volumes and networks that were asked for. See EngineView."""

    reachable = True

    def __init__(self, member: AggregateEngine, node: Node) -> None:
        self.member = member
        self.node = node
        self.address = node.address
        self.volumes: list[dict[str, Any]] = []
        self.networks: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        """What it is called in NODE/NAME."""
        return self.member.name

    async def get(self, path: str, query: Mapping[str, Iterable[str]] | None = None) -> Any:
        """Return the JSON that a path answers. Raises ApiError if the engine does not answer, or refuses."""
        return await self.member.get_json(Request("GET", build("", path, query or "")))

    async def ask(self, request: Request) -> EngineReply:
        """Pass a call on. Raises Unreachable if the engine does not answer."""
        return await self.member.ask(request)


class Snapshot:
    """The engines that answer, by name."""

    def __init__(self, engines: Iterable[EngineSnapshot]) -> None:
        self.engines = {engine.name: engine for engine in sorted(engines, key=lambda engine: engine.name)}

    @classmethod
    async def of(cls, members: Members) -> Snapshot:
        """Ask all engines what they run; those that missed networks while they were away get them now.

        Raises Unreachable if none answers.
        """
        present = await members.present()
        pending = {member: dict(member.creating) for member in present}  # before the list: what is in neither is worse
        answers = await members.get_json_from_all(Request("GET", "/containers/json?all=1"), present)
        await asyncio.gather(*(member.catch_up(members.log) for member, _ in answers))
        engines = []
        for member, entries in answers:
            containers = {found.id: found for found in map(ListedContainer, objects(entries))}
            node = Node(member.name, address=member.name, containers=containers, creating=pending[member])
            node.owner = EngineSnapshot(member, node)
            engines.append(node.owner)
        return cls(engines)

    async def ask_all(self, path: str, query: Mapping[str, Iterable[str]] | None = None) -> dict[EngineSnapshot, Any]:
        """Return what each engine answers to a GET, without those that refuse."""
        engines = list(self.engines.values())
        answers = await asyncio.gather(*(engine.get(path, query) for engine in engines), return_exceptions=True)
        values = {}
        for engine, answer in zip(engines, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, ApiError):
                raise answer
            if not isinstance(answer, BaseException):
                values[engine] = answer
        return values

    async def load(self, volumes: Iterable[str], networks: Iterable[str]) -> None:
        """Ask which engines have these volumes and networks."""
        for name in volumes:
            for engine, answer in (await self.ask_all(f"/volumes/{name}")).items():
                engine.volumes += objects([answer])
        for name in networks:
            for engine, answer in (await self.ask_all(f"/networks/{name}")).items():
                engine.networks += objects([answer])

    async def load_project(self, project: str) -> None:
        """Ask which volumes of a Compose project the engines have."""
        query = {"filters": [json.dumps({"label": [f"{PROJECT}={project}"]})]}
        for engine, answer in (await self.ask_all("/volumes", query)).items():
            engine.volumes += objects(object_of(answer).get("Volumes"))

    def engines_with(self, required: RequiredObject) -> list[EngineSnapshot]:
        """Return the engines that have something that a container needs."""
        return [engine for name, engine in self.engines.items() if name in required.nodes]

    async def movable(self, objects: Sequence[RequiredObject]) -> list[RequiredObject]:
        """Return what of it can be moved to another engine: empty volumes."""
        volumes = [required for required in objects if required.kind == "volume"]
        return [required for required in volumes if await is_empty(self.engines_with(required), required.name)]
