"""Routes of images: brought to every engine, united in lists, removed everywhere, found where they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from machine.swarm.api.responses import EngineReply
from machine.swarm.cluster import Engine
from machine.swarm.cluster.facts import api_of
from machine.swarm.cluster.images import changed_tags, is_dangling, without_superseded
from machine.swarm.fanout.broadcast import ask_each, merge_removals, successful
from machine.swarm.fanout.image_transfer import image_tag, loaded_images, transfer_image
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.holders import engines_with_image
from machine.swarm.manager.routes.table import HANDLERS
from machine.swarm.merge.images import merge_images
from machine.swarm.parsing.image_name import familiar
from machine.swarm.pipeline import ApiError, Reply, Request

OF = "/images/{name}/"
_TRUTHS = {"1": True, "true": True, "0": False, "false": False}  # as engines read the filter `dangling`
NEVER = float("inf")
_BOUNDS = ("before", "since")  # filters that name an image, which not every engine has


@HANDLERS.handles("GET", "/images/json")
async def images(context: ManagerContext, request: Request) -> Reply:
    """One entry per id, its tags and digests united; from memory if nothing but nodes is filtered."""
    filters = request.filters()
    nodes = filters.pop("node", [])
    await context.images.settle()
    engines = [e for e in context.cluster.healthy() if not nodes or e.name in nodes or e.id in nodes]
    old = context.images.superseded_tags()
    dangling = _dangling(filters) if old else None
    flags = ("all", "digests", "shared-size", "manifests", "filter")
    if not filters and not any(request.query_value(flag) for flag in flags):
        merged = merge_images([e.images for e in engines])
    else:
        merged = merge_images(await _list_filtered(context, engines, request, filters)) if engines else []
    without_superseded(merged, old, api=api_of(request.version or context.cluster.api()))
    if dangling is not None:
        merged = [image for image in merged if is_dangling(image) is dangling]
    elif old and "reference" in filters:
        merged = [image for image in merged if not is_dangling(image)]
    return Reply.json(merged)


def _dangling(filters: dict[str, list[str]]) -> bool | None:
    """Take the filter `dangling` out: engines know a tag that means another image by now as a good name."""
    values = [_TRUTHS.get(value.lower()) for value in filters.get("dangling", [])]
    if len(values) != 1 or values[0] is None:
        return None  # not given, or nonsense that the engine words
    del filters["dangling"]
    return values[0]


async def _list_filtered(
    context: ManagerContext, engines: list[Engine], request: Request, filters: dict[str, list[str]]
) -> list[list[dict[str, Any]]]:
    """The engines' own answers. What an image that only some have is compared with counts for the others too."""
    query = {k: list(v) for k, v in request.query.items() if k != "filters"}
    bounds = {key: filters[key][0] for key in _BOUNDS if filters.get(key)}
    limits: dict[Engine, dict[str, int]] = {}
    for key, image in bounds.items():
        holders = [e for e in await engines_with_image(context, image, older=True) if e in engines]
        when = next((created for e in holders if (created := _creation_time(e, image)) is not None), None)
        for engine in engines if holders and when is not None else ():
            if engine not in holders:
                limits.setdefault(engine, {})[key] = when or 0

    async def ask(engine: Engine) -> list[dict[str, Any]]:
        limit = limits.get(engine, {})
        own_filters = {key: values for key, values in filters.items() if key not in limit}
        own_query = {**query, "filters": [json.dumps(own_filters)]} if own_filters else query
        entries = await (await engine.ask(request.with_path("/images/json", own_query))).json_body() or []
        return [
            image
            for image in entries
            if limit.get("since", -1) < (image.get("Created") or 0) < limit.get("before", NEVER)
        ]

    return list(successful(await context.broadcast(engines, ask)).values())


def _creation_time(engine: Engine, name: str) -> int | None:
    """When an image was made, in seconds since 1970; None if the engine's list does not have it."""
    ids = engine.image_table.find(name)
    return next((int(image.get("Created") or 0) for image in engine.images if image.get("Id") in ids), None)


@HANDLERS.handles("POST", "/images/create|load")
async def transfer(context: ManagerContext, request: Request) -> Reply:
    """Pull, import or load on every engine; the tags that it brings mean what they mean there from then on."""
    engines = context.cluster.healthy() or [context.cluster.any_healthy()]
    before = {engine: dict(engine.image_table.tags) for engine in engines}

    async def refresh(engine: Engine) -> None:
        with suppress(ApiError):
            await engine.refresh_kinds("image")

    def finish(good: Sequence[Engine], lines: Sequence[dict[str, Any]]) -> None:
        changed = [tag for engine in good for tag in changed_tags(before[engine], engine.image_table.tags)]
        context.images.note(good, [*changed, *loaded_images(lines), image_tag(request)])

    return await transfer_image(engines, request, details=False, after_each=refresh, finish=finish)


@HANDLERS.default_for_kind("image")
async def one(context: ManagerContext, request: Request) -> Reply:
    """To the first engine that has it; any engine words the error if none has."""
    found = await engines_with_image(context, request.name)
    return await (found[0] if found else context.cluster.any_healthy()).ask(request)


@HANDLERS.handles("GET", "/images/get")
async def get(context: ManagerContext, request: Request) -> Reply:
    """Save images from one engine that has all of them. Raises ApiError(404) if none has."""
    names = [name for text in request.query.get("names", []) for name in text.split(",") if name]
    holders = {name: await engines_with_image(context, name) for name in names}
    common = [e for e in context.cluster.healthy() if all(e in found for found in holders.values())]
    if not common and all(holders.values()):
        where = "; ".join(f"{name}: {', '.join(e.name for e in found)}" for name, found in holders.items())
        raise ApiError(
            404, f"Unable to find a healthy engine containing all images ({where}): save them one by one, or pull them"
        )
    return await (common[0] if common else context.cluster.any_healthy()).ask(request)  # it says which one there is not


@HANDLERS.handles("POST", OF + "tag")
async def tag(context: ManagerContext, request: Request) -> Reply:
    """Tag an image on every engine that has it; the tag means this image from now on."""
    engines = await engines_with_image(context, request.name) or [context.cluster.any_healthy()]
    replies = await _on_each(context, engines, request)
    new_tag = request.query_value("repo") + (f":{request.query_value('tag')}" if request.query_value("tag") else "")
    context.images.note([engine for engine, reply in replies.items() if reply.ok], [new_tag])
    return next((r for r in replies.values() if not r.ok), None) or next(iter(replies.values()))


@HANDLERS.handles("DELETE", "/images/{name}")
async def remove(context: ManagerContext, request: Request) -> Reply:
    """Remove an image from every engine that has it or an older one of its tag; an error only if none could."""
    found = await engines_with_image(context, request.name, older=True) or [context.cluster.any_healthy()]
    return await merge_removals(await _on_each(context, found, request))


async def _on_each(context: ManagerContext, engines: list[Engine], request: Request) -> dict[Engine, EngineReply]:
    replies = await ask_each(engines, request, context.cluster.log)
    for engine in engines:
        with suppress(ApiError):
            await engine.refresh_kinds("image")
    return replies


@HANDLERS.handles("POST", "/commit")
async def commit(context: ManagerContext, request: Request) -> Reply:
    """Commit a container on its engine, which has the image afterwards."""
    container = context.container(request.query_value("container"))
    query = {**{k: list(v) for k, v in request.query.items()}, "container": [container.id]}
    engine: Engine = container.engine
    new_tag = request.query_value("repo") + (f":{request.query_value('tag')}" if request.query_value("tag") else "")
    context.images.begin(engine)
    try:
        reply: Reply = await engine.ask(request.with_path("/commit", query))
        await reply.read()
    except BaseException:
        context.images.end(engine)
        raise
    await context.images.finish(engine, [familiar(new_tag)] if reply.ok and new_tag else [])
    return reply
