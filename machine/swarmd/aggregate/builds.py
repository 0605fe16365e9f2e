"""Builds of an aggregate: one engine each. The session that a BuildKit build speaks through goes to the same engine.

A session comes at the same moment as its build and says nothing of what it is for, so it waits for its build to be
placed. buildx never sends a build: it speaks gRPC on /grpc, and its sessions follow that.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from machine.swarm.pipeline import ApiError, Reply, Request, Unreachable
from machine.swarm.scheduler.references import BUILT_IN
from machine.swarmd.aggregate.create import ContainerCreator
from machine.swarmd.aggregate.members import AggregateEngine, Members

HOLD = 1.0  # seconds that a session waits for a build that names it
HOLD_BESIDE_GRPC = 0.2  # the same while buildx is about, whose sessions wait in vain
BUILDX_ACTIVE_SECONDS = 60.0  # seconds after a call of buildx in which it is about
REMEMBERED = 1000  # sessions and builds whose engine is remembered
SESSION = b"x-docker-expose-session-uuid"


class Builds:
    """Chooses the engine of each build, and sends there what belongs to it."""

    def __init__(self, members: Members, creator: ContainerCreator) -> None:
        self._members = members
        self._creator = creator
        self._engines: dict[str, AggregateEngine] = {}  # by the id of a session, or of a build
        self._buildx = float("-inf")  # when buildx called last (time.monotonic)

    async def build(self, request: Request) -> Reply:
        """POST /build: on its session's engine, on that of its network's containers, or on the first that answers."""
        network, session = request.query_value("networkmode"), request.query_value("session")
        member = self._engines.get(session) if session else None
        if network not in BUILT_IN:  # steps of the build may look for containers there
            chosen, name = await self._creator.builder_on(network)
            member = member or chosen
            request = request.with_path(request.path, {**request.query, "networkmode": [name]})
        member = member or await self._first_answering()
        self._members.builder = member
        for key in (session, request.query_value("buildid")):
            self._remember(key, member)
        return await member.ask(request)

    async def session(self, request: Request) -> Reply:
        """POST /session: to the engine that its build was placed on, or to the first that answers."""
        key = request.header(SESSION).decode("latin-1")
        now = time.monotonic()
        end = now + (HOLD_BESIDE_GRPC if now - self._buildx < BUILDX_ACTIVE_SECONDS else HOLD)
        while key and key not in self._engines and time.monotonic() < end:
            await asyncio.sleep(0.01)
        member = self._engines.get(key) or await self._first_answering()
        self._remember(key, member)
        return await member.ask(request)

    async def grpc(self, request: Request) -> Reply:
        """POST /grpc: to the first engine that answers."""
        self._buildx = time.monotonic()
        self._members.builder = await self._first_answering()
        return await self._members.builder.ask(request)

    async def cancel(self, request: Request) -> Reply:
        """POST /build/cancel: to the engine of that build."""
        return await (self._engines.get(request.query_value("id")) or await self._first_answering()).ask(request)

    def _remember(self, key: str, member: AggregateEngine) -> None:
        if key:
            self._engines[key] = member
        while len(self._engines) > REMEMBERED:
            del self._engines[next(iter(self._engines))]

    async def _first_answering(self) -> AggregateEngine:
        for member in await self._members.present():
            with suppress(ApiError):
                await member.get_json(Request("GET", "/version"))
                return member
        raise Unreachable(502, "none of the engines answers")
