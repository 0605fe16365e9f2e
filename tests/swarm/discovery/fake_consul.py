"""The part of consul's HTTP API that discovery uses, as its documentation describes it: kv, sessions, blocking queries.

https://developer.hashicorp.com/consul/api-docs/kv , .../session , .../features/blocking
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import time
from typing import Any

from machine.swarm.http.address import Address
from machine.swarm.http.server import Server
from machine.swarm.pipeline import Reply, Request


class FakeConsul:
    """`keys` are {key: [value, session, modify index]}; `sessions` {id: [ttl, deadline]}."""

    def __init__(self) -> None:
        self.keys: dict[str, list[Any]] = {}
        self.sessions: dict[str, list[float]] = {}
        self.index = 1
        self.ids = itertools.count(1)
        self.changed = asyncio.Condition()
        self.forbidden = False  # whether an ACL refuses to delete

    async def __aenter__(self) -> FakeConsul:
        self.server = Server(self.answer)
        self.port = (await self.server.listen(Address("127.0.0.1", 0))).port
        self.reaper = asyncio.create_task(self.reap())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reaper.cancel()
        await self.server.close()

    async def reap(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            for session in [s for s, (_, end) in self.sessions.items() if end < time.monotonic()]:
                await self.destroy(session)

    async def destroy(self, session: str) -> None:
        self.sessions.pop(session, None)
        for key in [k for k, v in self.keys.items() if v[1] == session]:
            del self.keys[key]
        await self.bump()

    async def bump(self) -> int:
        async with self.changed:
            self.index += 1
            self.changed.notify_all()
        return self.index

    async def answer(self, request: Request) -> Reply:
        request = await request.with_body_read()
        kind, _, rest = request.path.removeprefix("/v1/").partition("/")
        return await (self.kv(request, rest) if kind == "kv" else self.session(request, rest))

    async def session(self, request: Request, rest: str) -> Reply:
        verb, _, session = rest.partition("/")
        if verb == "create":
            session = f"s-{next(self.ids)}"
            ttl = float(request.json_body()["TTL"].removesuffix("s"))
            assert 10 <= ttl <= 86400
            assert request.json_body()["Behavior"] == "delete"
            self.sessions[session] = [ttl, time.monotonic() + ttl]
            return Reply.json({"ID": session})
        if verb == "destroy":
            await self.destroy(session)
            return Reply.json(True)
        if session not in self.sessions:
            return Reply(404, (), b"Session id not found")
        self.sessions[session][1] = time.monotonic() + self.sessions[session][0]
        return Reply.json([{"ID": session}])

    async def kv(self, request: Request, key: str) -> Reply:
        if request.method == "PUT":
            session = request.query_value("acquire")
            if session not in self.sessions:
                return Reply(500, (), b"invalid session")
            if key in self.keys and self.keys[key][1] not in (None, session):
                return Reply.json(False)
            self.keys[key] = [request.body, session, await self.bump()]
            return Reply.json(True)
        if request.method == "DELETE":
            if not self.forbidden:
                self.keys.pop(key, None)
                await self.bump()
            return Reply(403, (), b"Permission denied") if self.forbidden else Reply.json(True)
        if request.query_value("index", "0") != "0":
            async with self.changed:
                if int(request.query_value("index")) >= self.index:
                    wait = float(request.query_value("wait", "300s").removesuffix("s"))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.changed.wait(), wait)
        head = ((b"x-consul-index", str(self.index).encode()), (b"content-type", b"application/json"))
        recurse = "recurse" in request.query
        found = [(k, v) for k, v in sorted(self.keys.items()) if (k.startswith(key) if recurse else k == key)]
        if not found:
            return Reply(404, head, b"")
        shown = [
            {"Key": k, "Value": base64.b64encode(v).decode(), "ModifyIndex": i, **({"Session": s} if s else {})}
            for k, (v, s, i) in found
        ]
        return Reply(200, head, json.dumps(shown).encode())
