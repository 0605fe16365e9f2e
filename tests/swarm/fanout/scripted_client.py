"""An engine for the tests of calls to many engines."""

from __future__ import annotations

import asyncio

from machine.swarm.api.responses import EngineReply
from machine.swarm.api.shapes import anything
from machine.swarm.merge.node_info import NodeInfo
from machine.swarm.pipeline import Reply, Request


class ScriptedClient:
    """An engine that answers each call with the same bytes, or raises the same error."""

    def __init__(self, name: str, answer: bytes | Exception, *, suspect: bool = False, hangs: bool = False) -> None:
        self.name, self.answer, self.suspect, self.hangs = name, answer, suspect, hangs
        self.node_info = NodeInfo(name)
        self.body = b""

    async def ask(self, request: Request) -> EngineReply:
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if not isinstance(request.body, bytes):
            self.body = b"".join([piece async for piece in request.body])
        return EngineReply(Reply(200, (), self.answer), self.name, "", anything)
