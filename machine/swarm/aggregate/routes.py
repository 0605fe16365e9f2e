"""What an aggregate does with each call: answer for all, send it to the one it concerns, or to every engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from machine.swarm import merge
from machine.swarm.aggregate import streams
from machine.swarm.aggregate.lookup import Lookup
from machine.swarm.aggregate.members import Member, Members
from machine.swarm.aggregate.placing import choose
from machine.swarm.chain import JSON, Refused, Reply, Request, Unreachable, message

_VERBS = (
    "archive|attach/ws|attach|changes|checkpoints(?:/.+)?|copy|exec|export|json|kill|logs|pause|rename|resize|restart"
    "|start|stats|stop|top|unpause|update|wait"
)


class Aggregate:
    """The end of a chain that stands for `members`."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.lookup = Lookup(members)
        self._placing = asyncio.Lock()
        self._naming: set[str] = set()  # names of containers that are being created

    async def __call__(self, request: Request) -> Reply:
        """Answer a call. Refused, Unreachable."""
        for methods, pattern, answer in _ROUTES:
            found = pattern.match(request.path) if request.method in methods else None
            if found:
                return await answer(self, request, **found.groupdict())
        raise Refused(501, f"an aggregate of engines cannot do {request.method} {request.path}")

    # for all of them

    async def ping(self, request: Request) -> Reply:
        """/_ping: alive while one of them is."""
        said = await self.members.ask(Request("GET", "/version"))
        api = merge.lowest(answer.get("ApiVersion", "") for _, answer in said)
        kind = (b"content-type", b"text/plain; charset=utf-8")
        headers = (kind, (b"api-version", api.encode()), (b"ostype", b"linux"), (b"docker-experimental", b"false"))
        return Reply(200, headers, b"" if request.method == "HEAD" else b"OK")

    async def version(self, request: Request) -> Reply:
        """GET /version"""
        return Reply.json(merge.version(await self.members.nodes(request)))

    async def info(self, request: Request) -> Reply:
        """GET /info"""
        said = await self.members.nodes(request)
        return Reply.json(merge.info(said, self.members.absent()))

    async def containers(self, request: Request) -> Reply:
        """GET /containers/json"""
        limit = request.arg("limit")
        answers = await self.members.ask(request)
        for member, items in answers:
            for item in items or ():
                self.lookup.remember(str(item.get("Id")), member)
        said = [(member.node, items) for member, items in answers]
        return Reply.json(merge.containers(said, limit=int(limit) if limit.isdigit() else 0))

    async def images(self, request: Request) -> Reply:
        """GET /images/json"""
        return Reply.json(merge.images(await self.members.nodes(request)))

    async def networks(self, request: Request) -> Reply:
        """GET /networks"""
        return Reply.json(merge.networks(await self.members.nodes(request)))

    async def volumes(self, request: Request) -> Reply:
        """GET /volumes"""
        return Reply.json(merge.volumes(await self.members.nodes(request)))

    async def disk(self, request: Request) -> Reply:
        """GET /system/df"""
        return Reply.json(merge.disk(await self.members.nodes(request)))

    async def prune(self, request: Request) -> Reply:
        """POST /.../prune"""
        return Reply.json(merge.pruned(await self.members.nodes(await request.whole())))

    async def events(self, request: Request) -> Reply:
        """GET /events"""
        log = self.members.log
        present = await self.members.present()
        return Reply(200, (JSON,), streams.together([streams.events(member, request, log) for member in present]))

    async def any(self, request: Request) -> Reply:
        """What every engine would answer alike: search, auth, plugins, builds."""
        if isinstance(request.body, bytes):
            return await self.members.first(request)
        return await (await self._build_host()).ask(request)

    async def build(self, request: Request) -> Reply:
        """POST /build, /session, /grpc: always the same engine, because they belong together."""
        return await (await self._build_host()).ask(request)

    async def _build_host(self) -> Member:
        present = await self.members.present()
        for member in present:
            if await member.has("/version"):
                return member
        raise Unreachable(502, "none of the engines answers")

    # containers

    async def create(self, request: Request) -> Reply:
        """POST /containers/create"""
        request = await request.whole()
        config = request.value()
        if not isinstance(config, dict):
            raise Refused(400, "the body is not a container's configuration")
        node, _, name = request.arg("name").rpartition("/")
        async with self._placing:  # one look at the engines at a time, so that each sees where the last one went
            await self._must_be_free(name)
            member = await choose(self.members, self.lookup, config, node)
            member.creating += 1
            self._naming.add(name)
        if node:
            request = request.at(request.path, {**request.query, "name": [name]})
        try:
            reply = await member.ask(request)
            if reply.ok:
                self.lookup.remember(str((await reply.value()).get("Id")), member)
        finally:
            member.creating -= 1
            self._naming.discard(name)
        return reply

    async def _must_be_free(self, name: str) -> None:
        if name in self._naming and name:
            raise Refused(409, f'Conflict. The container name "/{name}" is being given to another container.')
        place = await self.lookup.taken(name) if name else None
        if place:
            where = f'container "{place.id}" on {place.member.name}'
            raise Refused(409, f'Conflict. The container name "/{name}" is already in use by {where}.')

    async def container(self, request: Request, x: str, verb: str = "") -> Reply:
        """Everything about one container, by the engine that has it."""
        member, there = await self.lookup.owner(x)
        if verb == "rename":
            await self._must_be_free(request.arg("name"))
        reply = await member.ask(request.at(f"/containers/{there}" + (f"/{verb}" if verb else "")))
        if verb == "exec" and reply.ok:
            self.lookup.remember(str((await reply.value()).get("Id")), member)
        if verb == "json" and reply.ok:
            return Reply.json(merge.inspected(member.node, await reply.value()))
        return reply

    async def exec(self, request: Request, x: str) -> Reply:
        """/exec/X/..."""
        return await (await self.lookup.exec_owner(x)).ask(request)

    async def commit(self, request: Request) -> Reply:
        """POST /commit"""
        member, there = await self.lookup.owner(request.arg("container"))
        return await member.ask(request.at(request.path, {**request.query, "container": [there]}))

    # images

    async def pull(self, request: Request) -> Reply:
        """POST /images/create, /images/load: on every engine."""
        members = await self.members.present()
        if isinstance(request.body, bytes):
            requests = [request] * len(members)
        else:
            requests = [request.replace(body=body) for body in streams.tee(request.body, len(members))]
        return Reply(200, (JSON,), streams.everywhere(members, requests))

    async def image(self, request: Request, x: str) -> Reply:
        """GET /images/X/json and history, POST push: by the first engine that has it."""
        holders = await self._holders([x])
        return await holders[0].ask(request)

    async def image_everywhere(self, request: Request, x: str) -> Reply:
        """POST /images/X/tag, DELETE /images/X: on every engine that has it; the first answer."""
        replies = [await holder.ask(request) for holder in await self._holders([x])]
        for reply in replies:
            await reply.read()
        return next((reply for reply in replies if reply.ok), replies[0])

    async def export(self, request: Request, x: str = "") -> Reply:
        """GET /images/get, /images/X/get: an engine that has all of them."""
        holders = await self._holders([x] if x else request.query.get("names", []))
        return await holders[0].ask(request)

    async def _holders(self, images: list[str]) -> list[Member]:
        from machine.swarm.target import build

        holders = await self.members.present()
        for image in images:
            path = build("", f"/images/{image}/json")
            holders = [member for member in holders if await member.has(path)]
            if not holders:
                raise Refused(404, f"No such image: {image}" + (" beside the others" if len(images) > 1 else ""))
        return holders

    # networks and volumes: of the same name on every engine

    async def create_everywhere(self, request: Request) -> Reply:
        """POST /networks/create, /volumes/create"""
        request = await request.whole()
        replies = []
        for member in await self.members.present():
            replies.append(await member.ask(request))
            if not replies[-1].ok:
                return Reply.error(replies[-1].status, f"{member.name}: {message(await replies[-1].read())}")
            await replies[-1].read()
        return replies[0]

    async def thing(self, request: Request, kind: str, x: str) -> Reply:
        """GET or DELETE /networks/X, /volumes/X: on those that have one of that name."""
        found = await self._things(kind, x)
        replies = []
        for member, there in found:
            reply = await member.ask(request.at(f"/{kind}/{there}"))
            await reply.read()
            replies.append((member, reply))
        bad = next((reply for _, reply in replies if not reply.ok), None)
        if bad or request.method == "DELETE":
            return bad or replies[0][1]
        values = [(member.node, await reply.value()) for member, reply in replies]
        if kind == "volumes":
            return Reply.json(values[0][1])
        return Reply.json(merge.networks((node, [value]) for node, value in values)[0])

    async def connect(self, request: Request, x: str, verb: str) -> Reply:
        """POST /networks/X/connect, disconnect: on the engine of the container, with its network of that name."""
        request = await request.whole()
        body = request.value() or {}
        member, there = await self.lookup.owner(str(body.get("Container", "")))
        mine = [name for other, name in await self._things("networks", x) if other is member]
        if not mine:
            raise Refused(404, f"network {x} not found on {member.name}")
        changed = Request.json("POST", request.target, {**body, "Container": there})
        return await member.ask(changed.at(f"/networks/{mine[0]}/{verb}"))

    async def _things(self, kind: str, x: str) -> list[tuple[Member, str]]:
        """Who has a network or volume `x`, and under which name. Refused(404)."""
        from machine.swarm.target import build

        said: list[tuple[Member, Any]] = []
        try:
            said = await self.members.ask(Request("GET", build("", f"/{kind}/{x}")))
            name = str(said[0][1].get("Name"))
            if kind == "networks" and name != x:  # an id: the same network has others on the other engines
                said = await self.members.ask(Request("GET", build("", f"/{kind}/{name}")))
        except Refused as error:
            if not said:
                raise
            self.members.log(error.message)
        return [(member, str(answer.get("Name"))) for member, answer in said]


Answer = Callable[..., Awaitable[Reply]]
_X = r"(?P<x>.+)"
_ROUTES: tuple[tuple[tuple[str, ...], re.Pattern[str], Answer], ...] = tuple(
    (tuple(methods.split()), re.compile(pattern + r"\Z"), answer)
    for methods, pattern, answer in (
        ("GET HEAD", "/_ping", Aggregate.ping),
        ("GET", "/version", Aggregate.version),
        ("GET", "/info", Aggregate.info),
        ("GET", "/events", Aggregate.events),
        ("GET", "/system/df", Aggregate.disk),
        ("POST", "/(containers|images|networks|volumes|build)/prune", Aggregate.prune),
        ("GET", "/containers/(json|ps)", Aggregate.containers),
        ("POST", "/containers/create", Aggregate.create),
        ("GET HEAD POST PUT", rf"/containers/(?P<x>.+?)/(?P<verb>{_VERBS})", Aggregate.container),
        ("DELETE", f"/containers/{_X}", Aggregate.container),
        ("GET POST", "/exec/(?P<x>[^/]+)/.+", Aggregate.exec),
        ("POST", "/commit", Aggregate.commit),
        ("GET", "/images/json", Aggregate.images),
        ("GET", "/images/search", Aggregate.any),
        ("GET", "/images/get", Aggregate.export),
        ("POST", "/images/(create|load)", Aggregate.pull),
        ("GET", f"/images/{_X}/get", Aggregate.export),
        ("GET POST", f"/images/{_X}/(json|history|push)", Aggregate.image),
        ("POST", f"/images/{_X}/tag", Aggregate.image_everywhere),
        ("DELETE", f"/images/{_X}", Aggregate.image_everywhere),
        ("POST", "/(build|session|grpc|build/cancel)", Aggregate.build),
        ("GET", "/networks", Aggregate.networks),
        ("GET", "/volumes", Aggregate.volumes),
        ("POST", "/(networks|volumes)/create", Aggregate.create_everywhere),
        ("POST", f"/networks/{_X}/(?P<verb>connect|disconnect)", Aggregate.connect),
        ("GET DELETE", f"/(?P<kind>networks|volumes)/{_X}", Aggregate.thing),
        ("GET", "/(plugins|distribution/.+)", Aggregate.any),
        ("POST", "/auth", Aggregate.any),
    )
)
