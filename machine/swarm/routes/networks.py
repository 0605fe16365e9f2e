"""Routes of networks: an engine's own are called NODE/name, global ones are shown once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from machine.swarm.chain import Refused, Reply, Request
from machine.swarm.cluster import Engine
from machine.swarm.routes.desk import Desk
from machine.swarm.routes.table import TABLE
from machine.swarm.schedule.want import Want

Network = dict[str, Any]


@TABLE.at("GET", "/networks")
async def networks(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """From memory; what is filtered is asked of the engines."""
    filters = request.filters()
    nodes = set(filters.pop("node", []))
    named = filters.get("name", [])
    nodes |= {text.partition("/")[0] for text in named if "/" in text}
    engines = [e for e in desk.cluster.healthy() if not nodes or e.name in nodes or e.id in nodes]
    if not filters or not engines:
        return Reply.json(unite({e: e.networks for e in engines}))
    if named:
        filters["name"] = [text.rpartition("/")[2] for text in named]
    query = {"filters": [json.dumps(filters)]}
    return Reply.json(unite(await desk.values(engines, request.at("/networks", query))))


def unite(lists: dict[Engine, list[Network]]) -> list[Network]:
    """Several engines' networks as one list."""
    found: dict[str, Network] = {}
    for engine, networks in lists.items():
        for network in networks or ():
            found.setdefault(str(network.get("Id")), shown(network, engine))
    return list(found.values())


def shown(network: Network, engine: Engine) -> Network:
    """A network as the cluster calls it."""
    return network if is_global(network) else {**network, "Name": f"{engine.name}/{network.get('Name')}"}


def is_global(network: Network) -> bool:
    """Whether it spans engines."""
    return network.get("Scope") in ("global", "swarm")


def find(desk: Desk, text: str) -> tuple[Engine, Network]:
    """The network of that id, NODE/name, name, or beginning of an id, and an engine that has it; Refused(404)."""
    every = [(e, n) for e in desk.cluster.healthy() for n in e.networks]
    for fits in (
        lambda e, n: text == n.get("Id"),  # noqa: ARG005
        lambda e, n: text == f"{e.name}/{n.get('Name')}",
        lambda e, n: text == n.get("Name"),  # noqa: ARG005
        lambda e, n: text and str(n.get("Id")).startswith(text),  # noqa: ARG005
    ):
        found = {str(n.get("Id")): (e, n) for e, n in every if fits(e, n)}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            names = ", ".join(sorted(f"{e.name}/{n.get('Name')}" for e, n in found.values())[:5])
            raise Refused(404, f"network {text} may be any of {names}: say which")
    raise Refused(404, f"network {text} not found")


@TABLE.at("GET", "/networks/{name}")
async def inspect(desk: Desk, request: Request, name: str) -> Reply:
    """From an engine that has it; of a global one the containers of all engines."""
    engine, network = find(desk, name)
    call = request.at(f"/networks/{network['Id']}")
    if not is_global(network):
        return Reply.json(shown(await (await engine.ask(call)).value(), engine))
    having = [e for e in desk.cluster.healthy() if any(n.get("Id") == network["Id"] for n in e.networks)]
    answers = list((await desk.values(having, call)).values())
    containers: dict[str, Any] = {}
    for answer in answers:
        containers.update(answer.get("Containers") or {})
    return Reply.json({**answers[0], "Containers": containers})


@TABLE.at("POST", "/networks/create")
async def create(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On the node in NODE/name; else on one that is chosen, where its containers will then be."""
    request = await request.whole()
    body = request.value()
    if not isinstance(body, dict) or not isinstance(body.get("Name"), str):
        raise Refused(400, "the body of a network's create has a Name")
    node, slash, rest = body["Name"].partition("/")
    if slash:
        engine, body["Name"] = desk.node(node), rest
    else:
        if any(n.get("Name") == body["Name"] for e in desk.cluster.healthy() for n in e.networks):
            raise Refused(409, f"network with name {body['Name']} already exists")
        engine = desk.choose(Want())[0]
    reply = await engine.ask(Request.json("POST", request.target, body))
    if reply.ok:
        await _look([engine])
    return reply


@TABLE.at("DELETE", "/networks/{name}")
async def remove(desk: Desk, request: Request, name: str) -> Reply:
    """From its engine."""
    engine, network = find(desk, name)
    reply = await engine.ask(request.at(f"/networks/{network['Id']}"))
    if reply.ok:
        await _look(desk.cluster.healthy() if is_global(network) else [engine])
    return reply


@TABLE.at("POST", "/networks/{name}/connect", "/networks/{name}/disconnect")
async def connect(desk: Desk, request: Request, name: str) -> Reply:
    """On the container's engine, which must be the network's unless that is global."""
    request = await request.whole()
    body = request.value() or {}
    engine, network = find(desk, name)
    verb = request.path.rpartition("/")[2]
    container = desk.container(str(body.get("Container") or ""))
    if not is_global(network) and container.engine is not engine:
        text = f"network {engine.name}/{network.get('Name')} is not on {container.engine.name}, where the container is"
        raise Refused(404, text)
    body["Container"] = container.id
    call = Request.json("POST", request.at(f"/networks/{network['Id']}/{verb}").target, body)
    reply: Reply = await container.engine.ask(call)
    if reply.ok:
        if container.moves:
            settings = (body.get("EndpointConfig") or {}) if verb == "connect" else None
            desk.cluster.ledger.connected(container.swarm_id, str(network.get("Name")), settings)
        with suppress(Refused):
            await container.engine.look([container.id])
    return reply


@TABLE.at("POST", "/networks/prune")
async def prune(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On every engine."""
    answers = await desk.values(desk.cluster.healthy(), request)
    await _look(answers)
    gone = [f"{e.name}/{n}" for e, answer in answers.items() for n in answer.get("NetworksDeleted") or ()]
    return Reply.json({"NetworksDeleted": gone or None})


async def _look(engines: Iterable[Engine]) -> None:
    for engine in engines:
        with suppress(Refused):
            await engine.look_at("network")
