"""The engines behind an aggregate: their names, and asking several of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from machine.swarm.api.responses import EngineReply, one_line, send_checked
from machine.swarm.fanout.broadcast import broadcast, engines_with, successful
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.pipeline import ApiError, CallNext, Request, Unreachable
from machine.swarm.scheduler.node import ScheduledContainer

MISSED = 1000  # networks that an engine gets when it is back; more than that are a mistake, or an attack
SLOW = 5.0  # seconds without an answer after which we look whether the engine still answers anything
PATIENCE = 15.0  # seconds that one engine may take for a question that all are asked


class AggregateEngine:
    """One engine. Called `fallback` until it has said its own name."""

    def __init__(self, ask: CallNext, fallback: str) -> None:
        self._client = ask
        self.node_info = NodeInfo(fallback)
        self.identified = False
        self.suspect = False  # its calls end by themselves, see PATIENCE
        self.failure = ""  # why it did not answer the last time; "" = it did
        self.creating: dict[str, ScheduledContainer] = {}  # containers that are being created there
        self.missed_networks: dict[str, Request] = {}  # networks by name whose create it has not heard

    @property
    def name(self) -> str:
        """What it is called in NODE/NAME."""
        return self.node_info.name

    @property
    def reachable(self) -> bool:
        """Whether it has answered the last question that it was asked."""
        return not self.failure

    async def ask(self, request: Request) -> EngineReply:
        """Pass a call on; its answer is checked.

        Raises Unreachable, also if the engine stops answering anything at all.
        """
        limit = asyncio.timeout(None)
        watch = asyncio.ensure_future(self._watch(limit))
        try:
            async with limit:
                return await send_checked(self._client, request, self.name)
        except TimeoutError:
            self.failure = "it has stopped answering"
            raise Unreachable(504, f"{self.name} has stopped answering") from None
        finally:
            watch.cancel()

    async def _watch(self, limit: asyncio.Timeout) -> None:
        """End a call that waits for its answer once the engine does not even answer a ping."""
        while True:
            await asyncio.sleep(SLOW)
            try:
                async with asyncio.timeout(PATIENCE):
                    await send_checked(self._client, Request("GET", "/_ping"), self.name)
            except (Unreachable, TimeoutError):
                limit.reschedule(0)
                return
            except ApiError:
                continue

    async def get_json(self, request: Request) -> Any:
        """A question's answer as JSON. Raises ApiError, and Unreachable if it does not answer within PATIENCE."""

        async def answer() -> Any:
            return await (await self.ask(request)).json_body()

        try:
            async with asyncio.timeout(PATIENCE):
                value = await answer()
        except TimeoutError as error:
            self.failure = f"no answer within {PATIENCE:g} s"
            raise Unreachable(504, f"{self.name}: {self.failure}") from error
        except Unreachable as error:
            self.failure = one_line(error.message)
            raise
        self.failure = ""
        return value

    def miss(self, name: str, request: Request) -> None:
        """Keep a network's create for when the engine is back."""
        self.missed_networks[name] = request
        while len(self.missed_networks) > MISSED:
            del self.missed_networks[next(iter(self.missed_networks))]

    async def catch_up(self, log: Callable[[str], None]) -> None:
        """Make the networks whose creates it has missed; `log` is told. Those that it refuses are given up."""
        for name, request in list(self.missed_networks.items()):
            try:
                await self.get_json(request)
                log(f"{self.name} is back and now has network {name}")
            except Unreachable:
                return
            except ApiError as error:
                log(f"{self.name} is back and does not have network {name}: {error.message}")
            self.missed_networks.pop(name, None)


class Members:
    """All of them. `log` is told when one goes away or comes back."""

    def __init__(self, members: Sequence[AggregateEngine], log: Callable[[str], None]) -> None:
        self.all = list(members)
        self.log = log
        self.builder: AggregateEngine | None = None  # where images were built, once there was a build

    async def present(self) -> list[AggregateEngine]:
        """Those whose names are known; asks the others for theirs. Raises Unreachable if that leaves none."""
        await asyncio.gather(*(self._identify(member) for member in self.all if not member.identified))
        present = [member for member in self.all if member.identified]
        if not present:
            raise Unreachable(502, "none of the engines answers: " + "; ".join(member.failure for member in self.all))
        return present

    async def get_json_from_all(
        self, request: Request, among: Iterable[AggregateEngine] | None = None
    ) -> list[tuple[AggregateEngine, Any]]:
        """What those say who answer: (member, JSON). Raises what the first said if every one refuses."""
        members = list(among) if among is not None else await self.present()
        results = await broadcast(members, lambda member: member.get_json(request), self.log)
        for member, result in results.items():
            if isinstance(result, Unreachable):
                self.log(f"{member.name} does not answer {request.method} {request.path}: {result.message}")
        return list(successful(results).items())

    async def engines_with(self, path: str, among: Sequence[AggregateEngine] | None = None) -> list[AggregateEngine]:
        """Those that have what is at a path (decoded)."""
        members = await self.present() if among is None else among
        return await engines_with(members, path, self.log, PATIENCE)

    async def answers_by_node(self, request: Request) -> list[tuple[NodeInfo, Any]]:
        """What those say who answer, by node, as machine.swarm.merge takes it."""
        return [(member.node_info, answer) for member, answer in await self.get_json_from_all(request)]

    def absent(self) -> list[tuple[str, str]]:
        """Who did not answer lately, and why."""
        return [(member.name, member.failure) for member in self.all if member.failure]

    async def _identify(self, member: AggregateEngine) -> None:
        try:
            await member.get_json(Request("GET", "/version"))  # whose API is too old is not taken
            info = await member.get_json(Request("GET", "/info"))
        except ApiError as error:
            member.failure = error.message
            return
        if member.identified:  # another caller asked at the same time, and has named it
            return
        used_names = {other.name for other in self.all if other.identified}
        name = base = str(info.get("Name") or member.name)
        number = 2
        while name in used_names:
            name, number = f"{base}-{number}", number + 1
        member.node_info = member.node_info._replace(
            name=name,
            id=str(info.get("ID", "")),
            cpus=int(info.get("NCPU") or 0),
            memory=int(info.get("MemTotal") or 0),
            labels=dict(str(label).partition("=")[::2] for label in info.get("Labels") or ()),
        )
        member.identified = True
        self.log(f"aggregate: {name} is {member.node_info.address}")
