"""The five calls that remove what is not used: made to every engine, answered as one."""

from __future__ import annotations

from contextlib import suppress

from machine.swarm.cluster import Engine
from machine.swarm.fanout.broadcast import by_node
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.objects import shared_names
from machine.swarm.merge.usage import merge_prune
from machine.swarm.pipeline import ApiError, Reply, Request

_KINDS = {"images": "image", "networks": "network", "volumes": "volume"}


@HANDLERS.handles("POST", "/containers|images|networks|volumes|build/prune")
async def prune(context: ManagerContext, request: Request) -> Reply:
    """On every engine; what is remembered is true again before the client hears of it."""
    kind = request.path.split("/")[1]
    engines = context.cluster.healthy()
    lists = {"networks": [e.networks for e in engines], "volumes": [e.volumes for e in engines]}
    shared = shared_names(lists.get(kind, ()))
    answers = await context.values(engines, request)
    for engine, answer in answers.items():
        for key in answer.get("ContainersDeleted") or ():
            engine.forget(key)
        if kind in _KINDS:
            await _refresh(engine, _KINDS[kind])
    return Reply.json(merge_prune(by_node(answers), shared))


async def _refresh(engine: Engine, kind: str) -> None:
    with suppress(ApiError):
        await engine.refresh_kinds(kind)
