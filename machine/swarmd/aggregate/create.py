"""Containers, volumes and builds of an aggregate that begin: where, and under which name."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from machine.swarm.parsing.request_json import write
from machine.swarm.pipeline import ApiError, Reply, Request
from machine.swarm.placing import bind_warnings
from machine.swarm.placing.name_reservations import NameReservations, check_name, conflict
from machine.swarm.scheduler.node import PlainContainer
from machine.swarm.scheduler.references import BUILT_IN, references, rename_container, rename_network
from machine.swarmd.aggregate.lookup import Lookup
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.placing import choose, choose_for_volume

_ID = re.compile(r"[0-9a-f]{12,64}\Z")  # of a network, or its beginning


class ContainerCreator:
    """Chooses engines one at a time, so that each choice sees where the last one went."""

    def __init__(self, members: Members, lookup: Lookup) -> None:
        self.members = members
        self.lookup = lookup
        self._placing = asyncio.Lock()
        self._names = NameReservations()

    async def create(self, request: Request) -> Reply:
        """POST /containers/create"""
        request = await request.with_body_read()
        config = request.json_body()
        if not isinstance(config, dict):
            raise ApiError(400, "the body is not a container's configuration")
        await self._use_local_names(config)
        request = request.replace(body=write(config))  # the engine reads what decided here, and nothing else
        node, _, name = request.query_value("name").strip("/").rpartition("/")
        check_name(name)
        with self._names.reserve(name):
            async with self._placing:
                await self._must_be_free(name)
                member, placement = await choose(self.members, self.lookup, config, node, name)
                key = secrets.token_hex(32)
                member.creating[key] = PlainContainer.in_creation(key, placement, config.get("Labels") or {})
            try:
                if node:
                    request = request.with_path(request.path, {**request.query, "name": [name]})
                reply = await self._create_on(member, request, placement.volumes)
                return await bind_warnings.add(reply, config)
            finally:
                del member.creating[key]

    async def _create_on(self, member: AggregateEngine, request: Request, volumes: Iterable[str]) -> Reply:
        reply = await member.ask(request)
        if reply.ok:
            if not self.lookup.remember(str((await reply.json_body()).get("Id")), member):
                raise reply.wrong("the id that it gives is that of a container on another engine")
            for volume in volumes:
                self.lookup.remember_volume(volume, [member.name])
        return reply

    async def _use_local_names(self, config: dict[str, Any]) -> None:
        """Call networks and containers in a create's body as the engine does that gets it; in place.

        A network has another id on each engine, so it is called by its name; a container loses the node before its
        name. What nobody has is left for the engine to refuse.
        """
        refers = references(config)
        for network in refers.networks:
            if _ID.match(network):
                with suppress(ApiError):
                    name = (await self.lookup.named_objects("networks", network))[0][1]
                    if name not in BUILT_IN and ":" not in name:  # those would let it into the host, or a container
                        rename_network(config, network, name)
        for container in refers.containers:
            if "/" in container:
                rename_container(config, container, (await self.lookup.owner(container))[1])

    async def _must_be_free(self, name: str) -> None:
        place = await self.lookup.container_named(name) if name else None
        if place:
            raise conflict(name, f"container {place.id} on {place.engine.name}")

    async def rename(self, member: AggregateEngine, local_id: str, request: Request) -> Reply:
        """POST /containers/X/rename, where X is called `local_id` on its engine: names are unique over all engines."""
        new_name = request.query_value("name").strip("/")
        check_name(new_name)
        with self._names.reserve(new_name):
            await self._must_be_free(new_name)
            return await member.ask(request.with_path(f"/containers/{local_id}/rename"))

    async def create_volume(self, request: Request) -> Reply:
        """POST /volumes/create: on one engine, that of the name if it has one already; NODE/NAME says which."""
        request = await request.with_body_read()
        body = request.json_body() or {}
        if not isinstance(body, dict):
            raise ApiError(400, "the body is not a volume's configuration")
        node, _, name = str(body.get("Name") or "").rpartition("/")
        async with self._placing:
            member = await choose_for_volume(self.members, self.lookup, {**body, "Name": name}, node)
            reply = await member.ask(request.replace(body=json.dumps({**body, "Name": name}).encode()))
            if reply.ok:
                self.lookup.remember_volume(str((await reply.json_body()).get("Name")), [member.name])
        return reply

    async def builder_on(self, network: str) -> tuple[AggregateEngine, str]:
        """Return the engine for a build on a network, whose steps may look for containers there, and its name there."""
        config = {"HostConfig": {"NetworkMode": network}}
        await self._use_local_names(config)
        return (await choose(self.members, self.lookup, config)).member, config["HostConfig"]["NetworkMode"]
