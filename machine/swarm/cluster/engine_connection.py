"""Calls to one engine: in a version that it speaks, checked where they come in, and ended when it does not answer."""

from __future__ import annotations

import asyncio
from typing import Any

from machine.swarm import limits
from machine.swarm.api.responses import EngineReply, WrongAnswer, one_line, send_checked
from machine.swarm.cluster.facts import EngineFacts, negotiate_version
from machine.swarm.cluster.health import HealthTracker
from machine.swarm.cluster.pending import PendingCalls
from machine.swarm.events import JsonStream, read_events
from machine.swarm.http.deadline import Block, Deadline
from machine.swarm.pipeline import CallNext, Request, Unreachable

ANSWER = 30.0  # seconds for an answer that is not a stream
SLOW = 5.0  # seconds without an answer after which we look whether the engine still answers anything


class EngineConnection:
    """The engine at `address` ("host:port"), asked through `client`; `facts` are None until they are known."""

    def __init__(self, address: str, client: CallNext, health: HealthTracker) -> None:
        self.address = address
        self.client = client
        self.health = health
        self.facts: EngineFacts | None = None
        self.open_calls = PendingCalls()  # clients' calls that wait for the head of their answer
        self.suspect = False  # whether it failed, or let a call wait, since it last answered a refresh
        self._probe_requested = asyncio.Event()
        self._slow_calls = Deadline(self._probe_soon)
        self._refresh_deadline = Deadline(self._overdue)

    @property
    def name(self) -> str:
        """What it is called in errors."""
        return self.address

    def note_failure(self, reason: str) -> None:
        """Note that it did not answer, or nothing that makes sense."""
        raise NotImplementedError

    async def ask(self, request: Request) -> EngineReply:
        """Pass a client's call on, in an API version that this engine speaks. Unreachable counts as a failure."""
        if self.facts is not None and request.version:
            version = negotiate_version(request.version, self.facts)
            if version != request.version:
                request = request.with_api_version(version)
        try:
            with self._slow_calls.within(SLOW):
                async with self.open_calls.waiting():
                    return await send_checked(self.client, request, self.name)
        except TimeoutError:
            raise Unreachable(504, f"{self.name} has stopped answering: {self.health.error}") from None
        except Unreachable as error:
            self.note_failure(error.message)
            raise

    def _probe_soon(self) -> None:
        """A call waits for long: see whether the engine answers anything."""
        self.suspect = True
        self._probe_requested.set()

    def refresh_in_time(self) -> Block:
        """A block for a refresh: while it takes longer than SLOW, calls to all engines do not wait for this one."""
        return self._refresh_deadline.within(SLOW)

    def _overdue(self) -> None:
        self.suspect = True

    async def past_events(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """The events between `since` and `until` of the query.

        Raises ApiError if the engine does not answer, or its events are not valid.
        """
        reply = await self.ask(Request("GET", "/events").with_path("/events", query))
        if not reply.ok:
            await reply.json_body()
        data = await reply.read(limits.EVENT_PAST)
        try:
            return read_events(JsonStream(), data + b"\n")
        except ValueError as error:
            raise WrongAnswer(one_line(f"{self.name}: its events are not valid: {error}")) from None

    async def get(self, path: str, query: dict[str, list[str]] | None = None, *, versioned: bool = True) -> Any:
        """The JSON that a path answers, within ANSWER seconds, less after a failure.

        Raises ApiError if the engine does not answer in time, or refuses.
        """
        request = Request.for_path(
            "GET", path, query, negotiate_version("1.99", self.facts) if self.facts and versioned else ""
        )
        seconds = ANSWER / 3 if self.health.failures else ANSWER
        try:
            async with asyncio.timeout(seconds):
                return await (await send_checked(self.client, request, self.name)).json_body()
        except TimeoutError:
            raise Unreachable(504, f"{self.address} did not answer {path} within {seconds:g} s") from None
