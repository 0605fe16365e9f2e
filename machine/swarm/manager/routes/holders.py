"""Which engines have an image: from what is remembered, and by asking them when nothing remembered fits."""

from __future__ import annotations

from machine.swarm.cluster import Engine
from machine.swarm.fanout.broadcast import engines_with
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.parsing.image_name import familiar
from machine.swarm.pipeline import ApiError

ANSWER_SECONDS = 5.0  # seconds for an engine's word on an image that nobody remembers; a client waits for it


def cached_holders(context: ManagerContext, name: str, *, older: bool = False) -> list[Engine]:
    """The healthy engines that have an image, by tag, digest, id or its beginning.

    Raises ApiError(404) if that means several.

    Of a tag those that have its newest image; with `older` all that have the tag.
    """
    engines = context.cluster.healthy()
    ids_by_engine = {engine: ids for engine in engines if (ids := engine.image_table.find(name))}
    newest = frozenset() if older else context.images.meant_by(name)
    if newest:
        return [engine for engine, ids in ids_by_engine.items() if not newest.isdisjoint(ids)]
    if any(len(ids) > 1 for ids in ids_by_engine.values()) or _differ_by_prefix(ids_by_engine, name):
        raise ApiError(404, f"No such image: {name} is the beginning of several ids: give more of it")
    return list(ids_by_engine)


def _differ_by_prefix(ids_by_engine: dict[Engine, list[str]], name: str) -> bool:
    """Whether the engines mean different images by it, and it is no name: then it is too short."""
    ids = {image_id for image_ids in ids_by_engine.values() for image_id in image_ids}
    plain = name.removeprefix("sha256:")
    return len(ids) > 1 and all(image_id.removeprefix("sha256:").startswith(plain) for image_id in ids)


async def engines_with_image(context: ManagerContext, name: str, *, older: bool = False) -> list[Engine]:
    """Return the engines that have the image `name`, as `cached_holders` does, with what was changed just now.

    If none is known to have it, every engine is asked.
    """
    await context.images.settle()
    return cached_holders(context, name, older=older) or await _ask_engines(context, name)


async def _ask_engines(context: ManagerContext, name: str) -> list[Engine]:
    """The engines that say they have it: lists leave out what other images were made from."""
    if not name.strip("/"):
        return []
    engines, log = context.cluster.healthy(), context.cluster.log
    return await engines_with(engines, f"/images/{name}/json", log, ANSWER_SECONDS)


async def with_image(context: ManagerContext, name: str, engines: list[Engine] | None) -> list[Engine] | None:
    """Those of the engines (None = all) that have the image that a tag means now.

    Raises ApiError(404) if none of them does.

    An engine that still has an older image under the tag counts as one that lacks it. Names of which nothing is
    noted leave the engines as they are.
    """
    await context.images.settle()
    newest = context.images.meant_by(name)
    if not newest:
        return engines
    tag = familiar(name)
    owners = [e for e in context.cluster.engines.values() if e.image_table.tags.get(tag) in newest]
    every = list(context.cluster.engines.values()) if engines is None else engines
    fit = [engine for engine in every if engine.image_table.tags.get(tag) in newest and engine.reachable]
    if not fit:
        raise ApiError(404, missing_message(name, owners))
    return fit


def missing_message(name: str, owners: list[Engine]) -> str:
    """Why a container of this image cannot be made where it is wanted; clients pull it then."""
    where = ", ".join(sorted(engine.name for engine in owners)[:5])
    return (
        f"No such image: {name} on the nodes that may be taken: what was built or pulled last under that name is on "
        f"{where or 'none of them'}; push it and pull it, or build it there"
    )
