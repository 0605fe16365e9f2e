"""Routes of volumes: an engine's own are called NODE/name and made on every engine, so that containers find them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from machine.swarm.chain import Refused, Reply, Request
from machine.swarm.cluster import Engine
from machine.swarm.routes.desk import Desk, good
from machine.swarm.routes.table import TABLE
from machine.swarm.schedule import NoNode
from machine.swarm.schedule.expression import BadExpression
from machine.swarm.schedule.filters import whitelist
from machine.swarm.schedule.want import lift, want

Volume = dict[str, Any]


@TABLE.at("GET", "/volumes")
async def volumes(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """From memory; what is filtered is asked of the engines."""
    filters = request.filters()
    nodes = set(filters.pop("node", []))
    engines = [e for e in desk.cluster.healthy() if not nodes or e.name in nodes or e.id in nodes]
    lists = {e: e.volumes for e in engines}
    if filters and engines:
        query = {"filters": [json.dumps(filters)]}
        answers = await desk.values(engines, request.at("/volumes", query))
        lists = {e: (answer or {}).get("Volumes") or [] for e, answer in answers.items()}
    return Reply.json({"Volumes": unite(lists), "Warnings": None})


def unite(lists: dict[Engine, list[Volume]]) -> list[Volume]:
    """Several engines' volumes as one list: those of other drivers than an engine's own once."""
    found: dict[str, Volume] = {}
    for engine, volumes in lists.items():
        for volume in volumes:
            entry = shown(volume, engine)
            found.setdefault(str(entry["Name"]), entry)
    return list(found.values())


def shown(volume: Volume, engine: Engine) -> Volume:
    """A volume as the cluster calls it."""
    return volume if is_global(volume) else {**volume, "Name": f"{engine.name}/{volume.get('Name')}"}


def is_global(volume: Volume) -> bool:
    """Whether every engine sees the same one."""
    return volume.get("Scope") == "global"


def holders(desk: Desk, text: str) -> tuple[list[Engine], str]:
    """The engines that have the volume called name or NODE/name, and its name there; Refused(404)."""
    node, slash, rest = text.partition("/")
    engines = desk.cluster.healthy()
    if slash and desk.cluster.engine(node):
        engines, text = [desk.node(node)], rest
    found = [e for e in engines if any(v.get("Name") == text for v in e.volumes)]
    if not found:
        raise Refused(404, f"get {text}: no such volume")
    return found, text


@TABLE.at("GET", "/volumes/{name}")
async def inspect(desk: Desk, request: Request, name: str) -> Reply:
    """From the first engine that has it."""
    engines, there = holders(desk, name)
    value = await (await engines[0].ask(request.at(f"/volumes/{there}"))).value()
    return Reply.json(shown(value, engines[0]))


@TABLE.at("POST", "/volumes/create")
async def create(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On every engine that its whitelist names, all without one; on the node in NODE/name."""
    request = await request.whole()
    body = request.value() or {}
    if not isinstance(body, dict):
        raise Refused(400, "the body of a volume's create is a JSON object")
    node, slash, rest = str(body.get("Name") or "").partition("/")
    if slash:
        engines, body["Name"] = [desk.node(node)], rest
    else:
        body["Name"] = body.get("Name") or secrets.token_hex(32)
        engines = _listed(desk, body)
    call = Request.json("POST", request.target, body)

    async def make(engine: Engine) -> Any:
        return await (await engine.ask(call)).value()

    made = good(await desk.each(engines, make))
    await _look(made)
    value = next(iter(made.values()))
    return Reply.json({**value, "Name": f"{node}/{rest}" if slash else body["Name"]}, 201)


def _listed(desk: Desk, body: dict[str, Any]) -> list[Engine]:
    engines = {e.node.addr: e for e in desk.cluster.healthy()}
    if not engines:
        raise Refused(503, "No healthy node available in the cluster")
    try:
        asked = want({}, lift({"Labels": body.get("Labels")}))
        nodes = whitelist(asked, [e.node for e in engines.values()], True)
    except (BadExpression, NoNode) as error:
        raise Refused(400, str(error)) from error
    return [engines[node.addr] for node in nodes]


@TABLE.at("DELETE", "/volumes/{name}")
async def remove(desk: Desk, request: Request, name: str) -> Reply:
    """From every engine that has it; an error only if none could."""
    engines, there = holders(desk, name)
    await desk.values(engines, request.at(f"/volumes/{there}"))
    await _look(engines)
    return Reply(204)


@TABLE.at("POST", "/volumes/prune")
async def prune(desk: Desk, request: Request, name: str) -> Reply:  # noqa: ARG001
    """On every engine."""
    answers = await desk.values(desk.cluster.healthy(), request)
    await _look(answers)
    gone = [f"{e.name}/{v}" for e, answer in answers.items() for v in answer.get("VolumesDeleted") or ()]
    reclaimed = sum(answer.get("SpaceReclaimed") or 0 for answer in answers.values())
    return Reply.json({"VolumesDeleted": gone or None, "SpaceReclaimed": reclaimed})


async def _look(engines: Iterable[Engine]) -> None:
    for engine in engines:
        with suppress(Refused):
            await engine.look_at("volume")
