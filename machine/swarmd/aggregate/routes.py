"""What an aggregate does with each call: answer for all, send it to the one it concerns, or to every engine."""

from __future__ import annotations

import json

from machine.swarm.api.scope import is_spanning
from machine.swarm.fanout.broadcast import ask_each, first_answer, merge_removals
from machine.swarm.fanout.image_transfer import transfer_image
from machine.swarm.merge.containers import inspected
from machine.swarm.merge.images import merge_images
from machine.swarm.merge.objects import merge_networks, merge_volumes
from machine.swarm.merge.usage import merge_disk_usage, merge_plugins, merge_prune
from machine.swarm.parsing.target import build
from machine.swarm.pipeline import JSON, ApiError, Reply, Request
from machine.swarm.placing.locate import engines_with_members
from machine.swarm.routing import Handlers
from machine.swarmd.aggregate import listing, streams
from machine.swarmd.aggregate.builds import Builds
from machine.swarmd.aggregate.create import ContainerCreator
from machine.swarmd.aggregate.info import aggregate_info
from machine.swarmd.aggregate.lookup import Lookup
from machine.swarmd.aggregate.members import AggregateEngine, Members
from machine.swarmd.aggregate.networks import create_network
from machine.swarmd.aggregate.snapshot import Snapshot
from machine.swarmd.aggregate.version import merge_version

HANDLERS: Handlers[Aggregate] = Handlers("These are several engines as one, not Docker's swarm mode.")


class Aggregate:
    """The end of a pipeline that stands for `members`."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.lookup = Lookup(members)
        self.creator = ContainerCreator(members, self.lookup)
        self.builds = Builds(members, self.creator)

    async def __call__(self, request: Request) -> Reply:
        """Answer a call. Raises ApiError if it is refused, Unreachable if no engine answers."""
        return await HANDLERS.answer(self, request)

    @HANDLERS.handles("GET HEAD", "/_ping")
    async def ping(self, request: Request) -> Reply:
        """/_ping: alive while one of them is."""
        said = await self.members.get_json_from_all(Request("GET", "/version"))
        api = merge_version((member.node_info, answer) for member, answer in said)["ApiVersion"]
        kind = (b"content-type", b"text/plain; charset=utf-8")
        headers = (kind, (b"api-version", api.encode()), (b"ostype", b"linux"), (b"docker-experimental", b"false"))
        return Reply(200, headers, b"" if request.method == "HEAD" else b"OK")

    @HANDLERS.handles("GET", "/version")
    async def version(self, request: Request) -> Reply:
        """GET /version"""
        return Reply.json(merge_version(await self.members.answers_by_node(request)))

    @HANDLERS.handles("GET", "/info")
    async def info(self, request: Request) -> Reply:
        """GET /info"""
        answers, absent = await self.members.answers_by_node(request), self.members.absent()
        images = await self.members.get_json_from_all(Request("GET", "/images/json?all=1"))
        count = len(merge_images(found for _, found in images))  # one that several have is one, as in the list
        return Reply.json(aggregate_info(answers, absent, count))

    @HANDLERS.handles("GET", "/containers/json|ps")
    async def containers(self, request: Request) -> Reply:
        """GET /containers/json"""
        return Reply.json(await listing.containers(self.members, self.lookup, request))

    @HANDLERS.handles("GET", "/images/json")
    async def images(self, request: Request) -> Reply:
        """GET /images/json"""
        return Reply.json(merge_images(found for _, found in await self.members.get_json_from_all(request)))

    @HANDLERS.handles("GET", "/networks")
    async def networks(self, request: Request) -> Reply:
        """GET /networks"""
        found = merge_networks(await self.members.answers_by_node(request), one_per_name=True)
        for network in found:
            self.lookup.remember_network(str(network.get("Id")), str(network.get("Name")))
        return Reply.json(found)

    @HANDLERS.handles("GET", "/volumes")
    async def volumes(self, request: Request) -> Reply:
        """GET /volumes"""
        return Reply.json(merge_volumes(await self.members.answers_by_node(request)))

    @HANDLERS.handles("GET", "/system/df")
    async def disk_usage(self, request: Request) -> Reply:
        """GET /system/df"""
        return Reply.json(merge_disk_usage(await self.members.answers_by_node(request), always_qualified=True))

    @HANDLERS.handles("GET", "/plugins")
    async def plugins(self, request: Request) -> Reply:
        """GET /plugins"""
        return Reply.json(merge_plugins(await self.members.answers_by_node(request)))

    @HANDLERS.handles("POST", "/containers|images|networks|volumes|build/prune")
    async def prune(self, request: Request) -> Reply:
        """POST /.../prune"""
        return Reply.json(merge_prune(await self.members.answers_by_node(await request.with_body_read())))

    @HANDLERS.handles("GET", "/events")
    async def events(self, request: Request) -> Reply:
        """GET /events"""
        log = self.members.log
        present = await self.members.present()
        sources = [streams.events(member, request, log, self.lookup.is_anothers) for member in present]
        return Reply(200, (JSON,), streams.merge_streams(sources))

    @HANDLERS.default_for_kind("registry")
    async def registry_call(self, request: Request) -> Reply:
        """What a registry is asked through whatever engine."""
        return await first_answer(await self.members.present(), await request.with_body_read())

    @HANDLERS.handles("POST", "/build")
    async def build(self, request: Request) -> Reply:
        """POST /build"""
        return await self.builds.build(request)

    @HANDLERS.handles("POST", "/session")
    async def session(self, request: Request) -> Reply:
        """POST /session"""
        return await self.builds.session(request)

    @HANDLERS.handles("POST", "/grpc")
    async def grpc(self, request: Request) -> Reply:
        """POST /grpc"""
        return await self.builds.grpc(request)

    @HANDLERS.handles("POST", "/build/cancel")
    async def cancel(self, request: Request) -> Reply:
        """POST /build/cancel"""
        return await self.builds.cancel(request)

    @HANDLERS.handles("POST", "/containers/create")
    async def create(self, request: Request) -> Reply:
        """POST /containers/create"""
        return await self.creator.create(request)

    @HANDLERS.default_for_kind("container")
    async def container(self, request: Request) -> Reply:
        """Whatever is done with one container: to the engine that has it."""
        member, local_id = await self.lookup.owner(request.name)
        return await member.ask(request.with_path(f"/containers/{local_id}/{request.verb}"))

    @HANDLERS.handles("GET", "/containers/{name}/json")
    async def inspect(self, request: Request) -> Reply:
        """The engine's answer, which node it is, and published ports at the node's address."""
        member, local_id = await self.lookup.owner(request.name)
        reply = await member.ask(request.with_path(f"/containers/{local_id}/json"))
        return Reply.json(inspected(member.node_info, await reply.json_body())) if reply.ok else reply

    @HANDLERS.handles("POST", "/containers/{name}/rename")
    async def rename(self, request: Request) -> Reply:
        """Names are unique over all engines, not only on one."""
        member, local_id = await self.lookup.owner(request.name)
        return await self.creator.rename(member, local_id, request)

    @HANDLERS.handles("DELETE", "/containers/{name}")
    async def remove(self, request: Request) -> Reply:
        """From its engine. With `link=1` only a link goes: NAME/ALIAS is the alias that NAME has."""
        container, slash, alias = request.name.rpartition("/") if request.flag("link") else (request.name, "", "")
        member, local_id = await self.lookup.owner(container)
        if slash:  # by its name, for the alias is part of a path of names
            named = await member.get_json(Request("GET", build("", f"/containers/{local_id}/json")))
            return await member.ask(request.with_path(f"/containers{named.get('Name')}/{alias}"))
        return await member.ask(request.with_path(f"/containers/{local_id}"))

    @HANDLERS.handles("POST", "/containers/{name}/exec")
    async def exec_create(self, request: Request) -> Reply:
        """To its engine, and remember which that is."""
        member, local_id = await self.lookup.owner(request.name)
        reply = await member.ask(request.with_path(f"/containers/{local_id}/exec"))
        if reply.ok and not self.lookup.remember(str((await reply.json_body()).get("Id")), member):
            raise reply.wrong("the id that it gives is that of an exec on another engine")
        return reply

    @HANDLERS.default_for_kind("exec")
    async def exec_use(self, request: Request) -> Reply:
        """To the engine that has it."""
        return await (await self.lookup.exec_owner(request.name)).ask(request)

    @HANDLERS.handles("POST", "/commit")
    async def commit(self, request: Request) -> Reply:
        """POST /commit"""
        member, local_id = await self.lookup.owner(request.query_value("container"))
        return await member.ask(request.with_path(request.path, {**request.query, "container": [local_id]}))

    @HANDLERS.handles("POST", "/images/create|load")
    async def pull(self, request: Request) -> Reply:
        """POST /images/create, /images/load: on every engine."""
        engines = await self.members.present()
        return await transfer_image(
            engines, request, details=True, after_each=_remember_nothing, finish=lambda *_: None
        )

    @HANDLERS.default_for_kind("image")
    async def image(self, request: Request) -> Reply:
        """To the first engine that has it."""
        return await (await self._engines_with_image([request.name]))[0].ask(request)

    @HANDLERS.handles("POST", "/images/{name}/tag")
    async def tag(self, request: Request) -> Reply:
        """On every engine that has it; an error if one could not."""
        replies = (await ask_each(await self._engines_with_image([request.name]), request, self.members.log)).values()
        return next((reply for reply in replies if not reply.ok), None) or next(iter(replies))

    @HANDLERS.handles("DELETE", "/images/{name}")
    async def remove_image(self, request: Request) -> Reply:
        """From every engine that has it; an error only if none could."""
        return await merge_removals(
            await ask_each(await self._engines_with_image([request.name]), request, self.members.log)
        )

    @HANDLERS.handles("GET", "/images/get")
    async def export(self, request: Request) -> Reply:
        """From an engine that has all that are asked for."""
        return await (await self._engines_with_image(request.query.get("names", [])))[0].ask(request)

    @HANDLERS.handles("POST", "/images/{name}/push")
    async def push(self, request: Request) -> Reply:
        """By the first engine that has the tag, or any tag of the image when all are to be pushed."""
        name, tag = request.name, request.query_value("tag")
        if tag:
            return await (await self._engines_with_image([f"{name}:{tag}"]))[0].ask(request)
        query = {"filters": [json.dumps({"reference": [name]})]}
        listed_images = await self.members.get_json_from_all(Request("GET", build("", "/images/json", query)))
        holders = [member for member, entries in listed_images if entries]
        if not holders:
            raise ApiError(404, f"An image does not exist locally with the tag: {name}")
        return await holders[0].ask(request)

    async def _engines_with_image(self, images: list[str]) -> list[AggregateEngine]:
        holders = await self.members.present()
        for image in images:
            holders = await self.members.engines_with(f"/images/{image}/json", holders)
            if not holders:
                raise ApiError(404, f"No such image: {image}" + (" beside the others" if len(images) > 1 else ""))
        return holders

    # networks and volumes: of the same name on every engine

    @HANDLERS.handles("POST", "/networks/create")
    async def create_network(self, request: Request) -> Reply:
        """POST /networks/create: on every engine."""
        reply = await create_network(self.members, await request.with_body_read())
        network = await reply.json_body()
        self.lookup.remember_network(str(network.get("Id")), str((request.json_body() or {}).get("Name")))
        return reply

    @HANDLERS.handles("POST", "/volumes/create")
    async def create_volume(self, request: Request) -> Reply:
        """POST /volumes/create"""
        return await self.creator.create_volume(request)

    @HANDLERS.default_for_kind("network", "volume")
    async def network_or_volume(self, request: Request) -> Reply:
        """GET or DELETE /networks/X, /volumes/X: on those that have one of that name, or on NODE for NODE/X."""
        kind = request.path.split("/")[1]
        holders = await self.lookup.named_objects(kind, request.name)
        replies = []
        for member, local_id in holders:
            reply = await member.ask(request.with_path(f"/{kind}/{local_id}"))
            await reply.read()
            replies.append((member, reply))
        bad = next((reply for _, reply in replies if not reply.ok), None)
        if request.method == "DELETE":
            self._forget(
                kind, holders[0][1], [member for member, reply in replies if not reply.ok and reply.status != 404]
            )
        if bad or request.method == "DELETE":
            return bad or replies[0][1]
        values = [(member.node_info, await reply.json_body()) for member, reply in replies]
        if kind == "volumes":
            return Reply.json(values[0][1])
        return Reply.json(merge_networks(((node, [value]) for node, value in values), one_per_name=True)[0])

    @HANDLERS.handles("POST", "/networks/{name}/connect|disconnect")
    async def connect(self, request: Request) -> Reply:
        """POST /networks/X/connect, disconnect: on the engine of the container, with its network of that name."""
        request = await request.with_body_read()
        body = request.json_body() or {}
        if not isinstance(body, dict):
            raise ApiError(400, "the body of a connect is a JSON object")
        member, local_id = await self.lookup.owner(str(body.get("Container", "")))
        mine = [name for other, name in await self.lookup.named_objects("networks", request.name) if other is member]
        if not mine:
            raise ApiError(404, f"network {request.name} not found on {member.name}")
        if request.verb == "connect" and "/" not in str(body.get("Container", "")):
            await self._check_same_host_network(member, mine[0])
        changed = Request.json("POST", request.target, {**body, "Container": local_id})
        return await member.ask(changed.with_path(f"/networks/{mine[0]}/{request.verb}"))

    def _forget(self, kind: str, name: str, keeping: list[AggregateEngine]) -> None:
        """What is removed is not made on an engine that comes back, nor looked for there; `keeping` have refused it."""
        if kind == "volumes":
            self.lookup.remember_volume(name, [member.name for member in keeping])
        elif not keeping:
            for member in self.members.all:
                member.missed_networks.pop(name, None)

    async def _check_same_host_network(self, member: AggregateEngine, network: str) -> None:
        """Raises ApiError(409) if all other containers of a network that does not span engines are on other engines."""
        snapshot = await Snapshot.of(self.members)
        await snapshot.load((), [network])
        engines = list(snapshot.engines.values())
        holders = sorted(engine.name for engine in engines_with_members(engines, network))
        if holders and member.name not in holders and not any(is_spanning(n) for e in engines for n in e.networks):
            where = ", ".join(holders)
            raise ApiError(
                409,
                f"network {network} has its containers on {where}, which one on {member.name} could not reach;"
                f" make it on {where}, or name it {member.name}/NAME to connect it anyway",
            )


async def _remember_nothing(_: AggregateEngine) -> None:
    """Nothing is remembered of images."""
